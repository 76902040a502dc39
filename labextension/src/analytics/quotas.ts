import type { IQueueStatus, IUsage } from '../wire';
import { groupsOf } from './amounts';
import type { IGroupAmounts } from './amounts';
import { seriesOf } from './series';

/** What a project may have, and what it had on average, in devices. */
export interface IProjectQuota {
  readonly project: string;

  /** What it deserves, what it would get, and what it holds now; null where it is none of today's projects. */
  readonly queue: IQueueStatus | null;

  readonly allocated: number;
  readonly used: number;

  /** Of what was allocated, the part beyond its quota at that time; null where nothing was. */
  readonly overQuota: number | null;
}

/** Today's projects and those that used something, by name; averages are from the first step of `usage` on. */
export function quotasOf(
  queues: readonly IQueueStatus[],
  usage: IUsage
): IProjectQuota[] {
  const { times, end } = seriesOf(usage);
  const hours = (end - Math.max(usage.since, times[0] ?? end)) / 3600;
  const parents = new Set(queues.map(({ parent }) => parent));
  const leaves = queues.filter(({ name }) => !parents.has(name));
  const known = new Map(leaves.map(queue => [queue.name, queue]));
  const had = new Map(groupsOf(usage.rows).map(each => [each.group, each]));
  const names = [...new Set([...known.keys(), ...had.keys()])].sort();
  return names.map(project => ({
    project,
    queue: known.get(project) ?? null,
    ...averages(had.get(project), hours)
  }));
}

function averages(
  had: IGroupAmounts | undefined,
  hours: number
): Pick<IProjectQuota, 'allocated' | 'used' | 'overQuota'> {
  if (had === undefined || hours <= 0) {
    return { allocated: 0, used: 0, overQuota: null };
  }
  return {
    allocated: had.allocated / hours,
    used: had.used / hours,
    overQuota: had.allocated > 0 ? had.overQuota / had.allocated : null
  };
}
