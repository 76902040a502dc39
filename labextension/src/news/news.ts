import type { IWorkloadChange } from '../model/book';
import { hasEnded, isWaiting } from '../model/workloads';
import type { IWorkload } from '../wire';

/** What can become of a workload that its owner wants to hear of. */
export type NewsKind =
  'started' | 'stuck' | 'preempted' | 'warned' | 'ended' | 'failed';

/** Something that has become of a workload. */
export interface INews {
  readonly kind: NewsKind;
  readonly workload: IWorkload;
}

/** Why a workload waits that waiting alone does not change. */
const LASTING: ReadonlySet<string> = new Set([
  'never_fits',
  'queue_not_found',
  'gang_does_not_fit',
  'topology_does_not_fit'
]);

/** What the planner does to work that runs; a reason begins with it. */
const EVICTION = /^(?:preempt|reclaim|consolidate|stale_gang): /;

/** What a change is to the workload's owner; null where they see it anyway, or want no word of it. */
export function newsOf(
  { before, after }: IWorkloadChange,
  longS: number
): INews | null {
  if (after === null) {
    return null;
  }
  const kind = kindOf(before, after, longS);
  return kind === null ? null : { kind, workload: after };
}

function kindOf(
  before: IWorkload | null,
  after: IWorkload,
  longS: number
): NewsKind | null {
  if (isWarned(before, after)) {
    return 'warned';
  }
  if (isStuck(after)) {
    return before !== null && isStuck(before) ? null : 'stuck';
  }
  if (before === null || before.state === after.state) {
    return null;
  }
  if (isWaiting(after)) {
    return !isWaiting(before) && EVICTION.test(after.reason)
      ? 'preempted'
      : null;
  }
  if (after.state === 'running') {
    return waitedS(after) >= longS ? 'started' : null;
  }
  return hasEnded(after) && !hasEnded(before) ? endOf(after, longS) : null;
}

function endOf(workload: IWorkload, longS: number): NewsKind | null {
  const { state, kind, stop_requested: asked, started, ended } = workload;
  if (state === 'failed') {
    return 'failed';
  }
  if (state === 'stopped') {
    // Who has asked for it knows; what the engine decided by itself is a failure.
    return asked === null && started !== null && workload.reason !== ''
      ? 'failed'
      : null;
  }
  const ranS = (ended ?? 0) - (started ?? ended ?? 0);
  return kind !== 'workspace' && ranS >= longS ? 'ended' : null;
}

/** Whether a rule warns of something else than before, or has acted; what is put off asks for nothing. */
function isWarned(before: IWorkload | null, { notice }: IWorkload): boolean {
  return (
    before !== null &&
    notice !== null &&
    (notice.stage > 0 || notice.acts_at === null) &&
    notice.message !== before.notice?.message
  );
}

function isStuck(workload: IWorkload): boolean {
  return isWaiting(workload) && LASTING.has(workload.verdict?.code ?? '');
}

function waitedS({ kind, created, started, restarts }: IWorkload): number {
  // When it began to wait again is not known; what was evicted is worth a word.
  return kind === 'workspace' || started === null
    ? 0
    : restarts > 0
      ? Infinity
      : started - created;
}
