import type { DraftField } from './draft';

/** What the server's JSON schema says of one field. */
export interface IFieldSchema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly default?: unknown;
}

interface IStruct {
  readonly properties?: Readonly<Record<string, IUnion>>;
  readonly required?: readonly string[];
}

interface IUnion extends IFieldSchema {
  readonly anyOf?: readonly IFieldSchema[];
}

/** The server's schema of a submission, by the dialog's fields. */
export class SubmissionSchema {
  constructor(schema: object) {
    const { $defs = {} } = schema as { $defs?: Record<string, IStruct> };
    this._structs = [$defs.WorkloadSpec ?? {}, $defs.TaskRequest ?? {}];
  }

  /** What is said of a field; of alternatives the first that is not null. */
  field(name: DraftField): IFieldSchema {
    for (const { properties } of this._structs) {
      const found = properties?.[name];
      if (found !== undefined) {
        const meant = found.anyOf?.find(({ type }) => type !== 'null');
        return { ...found, ...meant, default: found.default };
      }
    }
    return {};
  }

  /** Whether a field may not be empty. */
  isRequired(name: DraftField): boolean {
    return this._structs[0]?.required?.includes(name) ?? false;
  }

  private readonly _structs: readonly IStruct[];
}

/** The field that a refusal is about, by the path that it names: "... - at `$.request.gpu`". */
export function fieldOfProblem(message: string): string | null {
  return /`?\$(?:\.\w+)*\.(\w+)/.exec(message)?.[1] ?? null;
}
