import type { IUsage } from '../wire';
import { groupsOf } from './amounts';
import { STEP_S } from './period';

/** Devices on average, step by step. */
export interface ISeries {
  /** The start of each step, in seconds since the epoch, without gaps. */
  readonly times: readonly number[];
  readonly allocated: readonly number[];
  readonly used: readonly number[];

  /** Where the last step ends. */
  readonly end: number;
}

/** A usage by steps as figures over time from its first step on; of one project, or of all. */
export function seriesOf(usage: IUsage, project?: string): ISeries {
  const length = usage.step === 'all' ? 0 : STEP_S[usage.step];
  const first = usage.rows[0]?.at;
  if (first === undefined || length === 0) {
    return { times: [], allocated: [], used: [], end: usage.until };
  }
  const count = Math.max(1, Math.ceil((usage.until - first) / length));
  const times = Array.from({ length: count }, (_, k) => first + k * length);
  const allocated = times.map(() => 0);
  const used = times.map(() => 0);
  for (const row of usage.rows) {
    const place = Math.round((row.at - first) / length);
    if (project === undefined || row.group === project) {
      const seconds = inside(row.at, length, usage);
      allocated[place] =
        (allocated[place] ?? 0) + devices(row.allocated, seconds);
      used[place] = (used[place] ?? 0) + devices(row.used, seconds);
    }
  }
  return { times, allocated, used, end: usage.until };
}

/** The projects that held devices, those with most first, at most so many. */
export function topProjects(usage: IUsage, most: number): string[] {
  return groupsOf(usage.rows)
    .filter(({ allocated }) => allocated > 0)
    .slice(0, most)
    .map(({ group }) => group);
}

/** How much of a step lies within the time that was asked about, in seconds. */
function inside(at: number, length: number, { since, until }: IUsage): number {
  return Math.min(at + length, until) - Math.max(at, since);
}

function devices(amount: number, seconds: number): number {
  return seconds > 0 ? amount / 1_000_000 / seconds : 0;
}
