import type { IRequests } from '../tokens';
import type { IQueueHistory, IUsage } from '../wire';
import type { Group } from './choice';
import { stepOf } from './period';
import type { ISpan } from './period';

/** All that the page shows of one time. */
export interface IAnalytics {
  /** By what people chose. */
  readonly groups: IUsage;

  /** By project, step by step. */
  readonly overTime: IUsage;

  /** By workload. */
  readonly workloads: IUsage;

  /** What queues had, by the steps of `overTime`. */
  readonly history: IQueueHistory;
}

/** How many workloads are told apart: a page shows those with most. */
const MOST_WORKLOADS = 1000;

/** Ask who used what in a span of time; `now` is in seconds. */
export async function askAnalytics(
  requests: Pick<IRequests, 'usage' | 'queueHistory'>,
  by: Group,
  span: ISpan,
  now: number
): Promise<IAnalytics> {
  const [groups, overTime, workloads] = await Promise.all([
    by === 'workload' ? null : requests.usage(by, span, 'all'),
    askOverTime(requests, span, now),
    requests.usage('workload', span, 'all', MOST_WORKLOADS)
  ]);
  const history = await requests.queueHistory(
    { since: Math.max(span.since, overTime.since), until: span.until },
    overTime.step
  );
  return { groups: groups ?? workloads, overTime, workloads, history };
}

/** By finer steps where the accounts begin late in the span. */
async function askOverTime(
  requests: Pick<IRequests, 'usage'>,
  span: ISpan,
  now: number
): Promise<IUsage> {
  const end = span.until ?? now;
  const step = stepOf(end - span.since);
  const found = await requests.usage('project', span, step);
  const first = Math.max(span.since, found.rows[0]?.at ?? span.since);
  const finer = stepOf(end - first);
  return finer === step
    ? found
    : requests.usage('project', { ...span, since: first }, finer);
}
