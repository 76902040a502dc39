import { hasEnded } from '../model/workloads';
import type { IWorkload } from '../wire';

/** The fields that a filter may name. */
export const FIELDS = [
  'state',
  'project',
  'owner',
  'type',
  'name',
  'node',
  'device',
  'id'
] as const;

/** One of them. */
export type Field = (typeof FIELDS)[number];

/** One condition of a filter: any of the values, in the field or, without one, anywhere. */
export interface ITerm {
  readonly field: Field | null;
  readonly values: readonly string[];
  readonly isNegated: boolean;
}

/** A filter as it is understood. */
export interface IQuery {
  readonly terms: readonly ITerm[];

  /** Names before a colon that are no field. */
  readonly unknown: readonly string[];
}

/** People's words for states, beside the states' own. */
const STATE_WORDS: Readonly<Record<string, readonly string[]>> = {
  waiting: ['creating', 'pending'],
  starting: ['initializing'],
  active: ['initializing', 'running', 'degraded', 'resuming', 'suspending'],
  ended: ['completed', 'failed', 'stopped']
};

const TOKEN =
  /(-?)(?:([a-z]+):((?:"[^"]*"?|[^\s"])*)|((?:"[^"]*"?|[^\s"])+))/gi;

/**
 * Read a filter: `state:pending,running project:a -owner:me "two words"`.
 *
 * All terms must hold; commas separate alternatives, a minus negates, quotes keep spaces together.
 */
export function parseQuery(text: string): IQuery {
  const terms: ITerm[] = [];
  const unknown: string[] = [];
  for (const [, minus, name, value, bare] of text.matchAll(TOKEN)) {
    const field = name === undefined ? null : fieldOf(name);
    if (field === undefined) {
      unknown.push(name ?? '');
      continue;
    }
    const whole = (value ?? bare ?? '').replaceAll('"', '').toLowerCase();
    const values = field === null ? [whole] : whole.split(',');
    const meant = values.filter(value => value !== '');
    if (meant.length > 0) {
      terms.push({ field, values: meant, isNegated: minus === '-' });
    }
  }
  return { terms, unknown };
}

/** Whether a workload is one that a filter lets through; `user` is who `owner:me` is. */
export function matches(
  workload: IWorkload,
  query: IQuery,
  user: string
): boolean {
  return query.terms.every(
    ({ field, values, isNegated }) =>
      values.some(value => holds(workload, field, value, user)) !== isNegated
  );
}

function holds(
  workload: IWorkload,
  field: Field | null,
  value: string,
  user: string
): boolean {
  switch (field) {
    case null:
      return [workload.name, workload.owner, workload.queue, workload.id].some(
        text => contains(text, value)
      );
    case 'state':
      return isInState(workload, value);
    case 'owner':
      return value === 'me'
        ? workload.owner === user
        : contains(workload.owner, value);
    default:
      return texts(workload, field).some(text => contains(text, value));
  }
}

function isInState(workload: IWorkload, value: string): boolean {
  if (value === 'ended' && hasEnded(workload)) {
    return true;
  }
  if (value === 'idle') {
    return (
      !hasEnded(workload) && (workload.activity?.idle_since ?? null) !== null
    );
  }
  return (
    workload.state.startsWith(value) ||
    (STATE_WORDS[value]?.includes(workload.state) ?? false)
  );
}

function texts(
  workload: IWorkload,
  field: Exclude<Field, 'state' | 'owner'>
): readonly string[] {
  const { allocation } = workload;
  switch (field) {
    case 'project':
      return [workload.queue];
    case 'type':
      return [workload.kind];
    case 'name':
      return [workload.name];
    case 'id':
      return [workload.id];
    case 'node':
      return allocation === null ? [] : [allocation.node];
    case 'device':
      return (allocation?.devices ?? []).map(
        ({ model, index }) => `${model} #${index}`
      );
  }
}

function contains(text: string, part: string): boolean {
  return text.toLowerCase().includes(part);
}

function fieldOf(name: string): Field | undefined {
  return FIELDS.find(field => field === name.toLowerCase());
}
