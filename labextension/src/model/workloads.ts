import type { IDevice, IWorkload } from '../wire';

/** Whether a workload has ended for good. */
export function hasEnded({ state }: IWorkload): boolean {
  return state === 'completed' || state === 'failed' || state === 'stopped';
}

/** Whether a workload waits for its devices. */
export function isWaiting({ state }: IWorkload): boolean {
  return state === 'creating' || state === 'pending';
}

/** Whether a workload can be stopped, and was not asked to yet. */
export function isStoppable(workload: IWorkload): boolean {
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
