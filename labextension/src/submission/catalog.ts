import { EngineError } from '../model/api';
import type { IEngineModel } from '../tokens';
import type { ICatalog } from '../wire';

/** An engine that offers nothing by name. */
export const NO_CATALOG: ICatalog = { templates: [], environments: [] };

/** What the engine offers by name; nothing where it does not answer, which a form's forecast says. */
export async function catalogOf({ requests }: IEngineModel): Promise<ICatalog> {
  try {
    return await requests.catalog();
  } catch (error) {
    if (!(error instanceof EngineError)) {
      throw error;
    }
    return NO_CATALOG;
  }
}
