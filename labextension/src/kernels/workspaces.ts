import { hasEnded } from '../model/workloads';
import type { IEngineModel, IWorkspaces } from '../tokens';
import type { IWorkload, IWorkspace } from '../wire';
import { KernelAnswer } from './kernelAnswer';

/** The workspaces of the server, and what each is now. */
export class Workspaces
  extends KernelAnswer<readonly IWorkspace[]>
  implements IWorkspaces
{
  constructor(model: IEngineModel) {
    super(model, []);
  }

  /** Those known, by their names. */
  get all(): readonly IWorkspace[] {
    return this.value;
  }

  /** The workload that a workspace is now; null where it has none. */
  workloadOf({ workload }: IWorkspace): IWorkload | null {
    const known = this.model.workload(workload?.id ?? '');
    return known === undefined || hasEnded(known) ? null : known;
  }

  protected override request(): Promise<readonly IWorkspace[]> {
    return this.model.requests.workspaces();
  }
}
