import type { IDevice, IWorkload, WorkloadState } from '../wire';

/** Whether a workload has ended for good. */
export function hasEnded({ state }: IWorkload): boolean {
  return state === 'completed' || state === 'failed' || state === 'stopped';
}

/** The states in the order of a workload's life. */
const LIFE: readonly WorkloadState[] = [
  'creating',
  'pending',
  'resuming',
  'initializing',
  'running',
  'degraded',
  'suspending',
  'suspended',
  'completed',
  'failed',
  'stopped',
  'deleting'
];

/** The place of a workload's state in the order of its life. */
export function stateOrder({ state }: IWorkload): number {
  return LIFE.indexOf(state);
}

/** Whether a workload keeps its place without any devices. */
export function isSuspended({ state }: IWorkload): boolean {
  return state === 'suspended' || state === 'suspending';
}

/** Whether a workload can be suspended. */
export function isSuspendable(workload: IWorkload): boolean {
  return (
    isLive(workload) && !isSuspended(workload) && allows(workload, 'suspend')
  );
}

/** Whether a workload can be resumed. */
export function isResumable(workload: IWorkload): boolean {
  return (
    isLive(workload) &&
    workload.state === 'suspended' &&
    allows(workload, 'resume')
  );
}

/** Whether what a rule is to do to an idle workload can be put off. */
export function isSnoozable({ notice }: IWorkload): boolean {
  return (
    notice !== null &&
    notice.rule === 'idle' &&
    notice.acts_at !== null &&
    notice.snoozed === null
  );
}

/** Whether a workload waits for its devices. */
export function isWaiting({ state }: IWorkload): boolean {
  return state === 'creating' || state === 'pending';
}

/** Whether a workload can be stopped, and was not asked to yet. */
export function isStoppable(workload: IWorkload): boolean {
  return isLive(workload) && allows(workload, 'stop');
}

/** What was not submitted here can be told what its kind is made for. */
function allows(
  { origin }: IWorkload,
  verb: 'stop' | 'suspend' | 'resume'
): boolean {
  return origin === null || origin.actions.includes(verb);
}

function isLive(workload: IWorkload): boolean {
  return (
    !hasEnded(workload) &&
    workload.state !== 'deleting' &&
    workload.stop_requested === null
  );
}

/** Live ones before ended ones, each newest first. */
export function inOrder(workloads: readonly IWorkload[]): IWorkload[] {
  return [...workloads].sort(
    (one, other) =>
      Number(hasEnded(one)) - Number(hasEnded(other)) ||
      latest(other) - latest(one)
  );
}

/** Thousandths of a device that are held. */
export function heldMilli(device: IDevice): number {
  return device.holders.reduce((sum, holder) => sum + holder.portion_milli, 0);
}

function latest(workload: IWorkload): number {
  return workload.ended ?? workload.created;
}
