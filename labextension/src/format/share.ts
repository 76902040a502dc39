import type { TranslationBundle } from '@jupyterlab/translation';

import type { ITaskRequest, IWorkload } from '../wire';

const MILLI = 1000;

/** Thousandths of a device as a number without idle zeros: 500 is "0.5", 2000 is "2". */
export function formatShare(milli: number): string {
  return String(Number((milli / MILLI).toFixed(3)));
}

/** The same with at least two decimals, so that figures below each other align. */
export function formatAlignedShare(milli: number): string {
  return (milli / MILLI).toFixed(milli % 10 === 0 ? 2 : 3);
}

/** A number of devices, such as a quota, with at most three decimals. */
export function formatDevices(devices: number): string {
  return formatShare(Math.round(devices * MILLI));
}

/** MiB as people say it: "40 GB", below one of them "512 MB". */
export function formatMemory(mib: number): string {
  return mib < 1024
    ? `${mib} MB`
    : `${Number((mib / 1024).toFixed(mib < 10240 ? 1 : 0))} GB`;
}

/** An amount of text: "740 kB", "2.1 MB". */
export function formatCharacters(count: number): string {
  return count < 1_000_000
    ? `${Math.ceil(count / 1000)} kB`
    : `${(count / 1_000_000).toFixed(1)} MB`;
}

/** What a workload asks of the devices: "0.5", "2", "2×0.25", "20 GB"; with a limit "0.25, up to 1"; "CPU" for none. */
export function formatRequest(
  request: ITaskRequest,
  trans: TranslationBundle
): string {
  const { gpu = 0, gpu_memory_mib = 0, gpu_devices = 1, mig = {} } = request;
  const slices = Object.entries(mig).map(([profile, count]) =>
    times(count, profile)
  );
  if (slices.length > 0) {
    return slices.join(' + ');
  }
  const asked =
    gpu_memory_mib > 0
      ? formatMemory(gpu_memory_mib)
      : Number(gpu) > 0
        ? formatDevices(Number(gpu))
        : null;
  if (asked === null) {
    return trans.__('CPU');
  }
  const limit = formatLimit(request);
  return limit === ''
    ? times(gpu_devices, asked)
    : trans.__('%1, up to %2', times(gpu_devices, asked), limit);
}

/** What all tasks of a workload ask for: "4 × 0.5" for four of them. */
export function formatAsked(
  { request, tasks }: Pick<IWorkload, 'request' | 'tasks'>,
  trans: TranslationBundle
): string {
  const one = formatRequest(request, trans);
  return tasks > 1 ? `${tasks} × ${one}` : one;
}

/** Thousandths of devices that a workload holds. */
export function heldShare({ allocation }: IWorkload): number {
  return (allocation?.devices ?? []).reduce(
    (sum, device) => sum + device.portion_milli,
    0
  );
}

/** Whether a request is for less than whole devices. */
export function isFraction(request: ITaskRequest): boolean {
  const devices = Number(request.gpu ?? 0);
  return (request.gpu_memory_mib ?? 0) > 0 || (devices > 0 && devices < 1);
}

function formatLimit(request: ITaskRequest): string {
  const { gpu_memory_limit_mib: memory = 0, gpu_limit: share = 0 } = request;
  if (memory > 0) {
    return formatMemory(memory);
  }
  return Number(share) > 0 ? formatDevices(Number(share)) : '';
}

function times(count: number, what: string): string {
  return count > 1 ? `${count}×${what}` : what;
}
