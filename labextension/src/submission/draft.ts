import type { PartialJSONObject } from '@lumino/coreutils';

import type {
  IEnvironment,
  ISpecChange,
  ITaskRequest,
  IWorkloadSpec
} from '../wire';
import { joinCommand, splitCommand } from './command';

/** What the dialog's fields hold, as people type it; empty for what is left to the engine. */
export type Draft = Readonly<Record<DraftField, string>>;

/** The fields of the dialog, by the names of the submission's own; the first two are names of the catalog's. */
export const DRAFT_FIELDS = [
  'template',
  'environment',
  'command',
  'cwd',
  'name',
  'kind',
  'queue',
  'priority',
  'gpu',
  'gpu_limit',
  'gpu_memory_mib',
  'gpu_devices',
  'cpu_milli',
  'memory_mib',
  'tasks',
  'min_tasks',
  'retries',
  'max_run_s',
  'grace_s'
] as const;

/** One of them. */
export type DraftField = (typeof DRAFT_FIELDS)[number];

const REQUEST_FIELDS = [
  'gpu',
  'gpu_limit',
  'gpu_memory_mib',
  'gpu_devices',
  'cpu_milli',
  'memory_mib'
] as const satisfies readonly DraftField[];

const NUMBERS = [
  'priority',
  'tasks',
  'min_tasks',
  'retries',
  'max_run_s',
  'grace_s'
] as const satisfies readonly DraftField[];

/** The fields of a specification as people type them. */
export function toDraft(spec: Partial<IWorkloadSpec>): Draft {
  const { request } = spec;
  const given: Partial<Record<DraftField, unknown>> = {
    ...spec,
    ...request,
    command: joinCommand(spec.command ?? [])
  };
  return Object.fromEntries(
    DRAFT_FIELDS.map(field => [field, textOf(given[field])])
  ) as Draft;
}

/**
 * A draft as a submission: over `base`, what the dialog has no fields for; what is empty is left to the engine.
 * In an environment it has its variables, and `python` is its interpreter.
 */
export function toSpec(
  draft: Draft,
  base: Partial<IWorkloadSpec> = {},
  environment?: IEnvironment
): IWorkloadSpec {
  const numbers = Object.fromEntries(
    NUMBERS.filter(field => draft[field] !== '').map(field => [
      field,
      numberOf(draft[field])
    ])
  );
  const asked = Object.fromEntries(
    REQUEST_FIELDS.filter(field => draft[field] !== '').map(field => [
      field,
      field.startsWith('gpu') ? amountOf(draft[field]) : numberOf(draft[field])
    ])
  );
  const { gang, preemptible, name_hint: hint, request } = base;
  const env = { ...base.env, ...environment?.variables };
  return {
    command: withInterpreter(splitCommand(draft.command), environment),
    cwd: draft.cwd,
    ...(draft.name === '' ? {} : { name: draft.name }),
    ...(draft.kind === '' ? {} : { kind: draft.kind as 'training' }),
    ...(draft.queue === '' ? {} : { queue: draft.queue }),
    ...(Object.keys(env).length > 0 && { env }),
    ...(gang === undefined ? {} : { gang }),
    ...(preemptible === undefined ? {} : { preemptible }),
    ...(hint === undefined ? {} : { name_hint: hint }),
    ...numbers,
    request: { ...kept(request), ...asked }
  };
}

/** An amount of devices as it travels: shares as text, for they are exact decimals. */
export function amountOf(text: string): number | string {
  return text.includes('.') ? text.trim() : numberOf(text);
}

/** A specification with a remedy's change. */
export function changed(
  spec: IWorkloadSpec,
  change: Partial<ISpecChange> | null
): IWorkloadSpec {
  return {
    ...spec,
    ...(change?.request ? { request: change.request } : {}),
    ...(typeof change?.min_tasks === 'number'
      ? { min_tasks: change.min_tasks }
      : {}),
    ...(typeof change?.priority === 'number'
      ? { priority: change.priority }
      : {})
  };
}

/** What of a remembered draft can be understood, over the usual one. */
export function restoreDraft(
  saved: PartialJSONObject | undefined,
  usual: Draft
): Draft {
  const known = DRAFT_FIELDS.flatMap(field => {
    const value = saved?.[field];
    return typeof value === 'string' ? [[field, value] as const] : [];
  });
  return { ...usual, ...Object.fromEntries(known), name: '', template: '' };
}

/** What of a request the dialog has no fields for. */
function kept(request: ITaskRequest = {}): ITaskRequest {
  const { mig, models, gpu_memory_limit_mib: limit } = request;
  return {
    ...(mig && Object.keys(mig).length > 0 ? { mig } : {}),
    ...(models ? { models } : {}),
    ...(limit ? { gpu_memory_limit_mib: limit } : {})
  };
}

/** A value as people type it; nothing where it has its default. */
export function textOf(value: unknown): string {
  return typeof value === 'string' || (typeof value === 'number' && value !== 0)
    ? String(value)
    : '';
}

function withInterpreter(
  [first = '', ...rest]: readonly string[],
  environment?: IEnvironment
): string[] {
  const python = environment?.python ?? null;
  const own = python !== null && /^python3?$/.test(first) ? python : first;
  return own === '' ? [] : [own, ...rest];
}

/** A number, or the text as it is: the server says what is wrong with it. */
export function numberOf(text: string): number | string {
  const value = Number(text);
  return Number.isFinite(value) ? value : text;
}
