import type { IQueueHistory, IQueueStep, VerdictCode } from '../wire';
import { STEP_S } from './period';

/** How long work of a project waited for one cause. */
export interface IPastCause {
  readonly project: string;
  readonly code: VerdictCode;

  /** In seconds, of all workloads together. */
  readonly waited: number;
}

/** Devices on average, step by step; null where nobody looked, or where it was unlimited. */
export interface IShares {
  readonly times: readonly number[];
  readonly held: readonly (number | null)[];
  readonly quota: readonly (number | null)[];
  readonly fairShare: readonly (number | null)[];

  /** Where the last step ends. */
  readonly end: number;
}

/** Why work waited, the longest first. */
export function pastCauses({ rows }: IQueueHistory): IPastCause[] {
  const causes = new Map<string, IPastCause>();
  for (const { queue, waits } of rows) {
    for (const [code, milliseconds] of Object.entries(waits)) {
      const id = `${queue} ${code}`;
      const before = causes.get(id)?.waited ?? 0;
      const waited = before + milliseconds / 1000;
      causes.set(id, { project: queue, code: code as VerdictCode, waited });
    }
  }
  return [...causes.values()]
    .filter(({ waited }) => waited > 0)
    .sort((one, other) => other.waited - one.waited);
}

/** What one queue held against its quota and fair share, from the first step of the history on. */
export function sharesOf(history: IQueueHistory, queue: string): IShares {
  const { rows, step, until } = history;
  const first = rows[0]?.at;
  const length = step === 'all' ? 0 : STEP_S[step];
  if (first === undefined || length === 0) {
    return { times: [], held: [], quota: [], fairShare: [], end: until };
  }
  const count = Math.max(1, Math.ceil((until - first) / length));
  const times = Array.from({ length: count }, (_, k) => first + k * length);
  const found = new Map(
    rows
      .filter(row => row.queue === queue)
      .map(row => [Math.round((row.at - first) / length), row])
  );
  const line = (of: (row: IQueueStep) => number | null): (number | null)[] =>
    times.map((_, place) => devices(found.get(place), of));
  return {
    times,
    held: line(({ allocated }) => allocated),
    quota: line(({ quota }) => quota),
    fairShare: line(({ fair_share }) => fair_share),
    end: until
  };
}

/** The projects that held or asked for devices, those with most first, at most so many. */
export function topQueues({ rows }: IQueueHistory, most: number): string[] {
  const parents = new Set(rows.map(({ parent }) => parent));
  const sums = new Map<string, number>();
  for (const { queue, allocated, requested } of rows) {
    if (!parents.has(queue)) {
      sums.set(queue, (sums.get(queue) ?? 0) + allocated + requested);
    }
  }
  return [...sums.entries()]
    .filter(([, sum]) => sum > 0)
    .sort(([, one], [, other]) => other - one)
    .slice(0, most)
    .map(([queue]) => queue);
}

function devices(
  row: IQueueStep | undefined,
  of: (row: IQueueStep) => number | null
): number | null {
  const amount = row === undefined ? null : of(row);
  return row === undefined || amount === null || row.observed === 0
    ? null
    : amount / row.observed / 1000;
}
