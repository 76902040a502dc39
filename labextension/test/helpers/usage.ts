import type {
  IQueueHistory,
  IQueueStep,
  IUsage,
  IUsageRow
} from '../../src/wire';

/** Thousandths of a device, times milliseconds. */
export const GPU_HOUR = 3_600_000_000;

const SHARES = ['allocated', 'over_quota', 'measured', 'used'] as const;

/** A row whose shares are given in hours of devices, and its waiting in seconds. */
export function usageRow(changes: Partial<IUsageRow> = {}): IUsageRow {
  const row = {
    at: 0,
    group: 'a',
    name: changes.group ?? 'a',
    owner: 'me',
    project: 'default',
    model: '',
    allocated: 0,
    over_quota: 0,
    measured: 0,
    used: 0,
    gpu_memory: 0,
    cpu: 0,
    cpu_used: 0,
    waiting: 0,
    preemptions: 0,
    energy: null,
    cost: null,
    ...changes
  };
  const shares = SHARES.map(name => [name, Math.round(row[name] * GPU_HOUR)]);
  return {
    ...row,
    ...(Object.fromEntries(shares) as Pick<IUsageRow, (typeof SHARES)[number]>),
    waiting: row.waiting * 1000
  };
}

/** A usage of these rows. */
export function usage(changes: Partial<IUsage> = {}): IUsage {
  return {
    by: 'project',
    step: 'all',
    since: 0,
    until: 3600,
    rows: [],
    simulated: false,
    currency: null,
    unpriced: [],
    namespace: null,
    ...changes
  };
}

/** A minute of a queue; its shares are given in devices, its waits in seconds. */
export function queueStep(changes: Partial<IQueueStep> = {}): IQueueStep {
  const row = {
    at: 0,
    queue: 'vision',
    parent: null,
    observed: 60_000,
    quota: 1,
    fair_share: 1,
    allocated: 0,
    requested: 0,
    waits: {},
    ...changes
  };
  const sum = <T extends number | null>(devices: T): T =>
    (devices === null ? null : devices * row.observed * 1000) as T;
  const waits = Object.entries(row.waits).map(
    ([code, seconds]) => [code, seconds * 1000] as const
  );
  return {
    ...row,
    quota: sum(row.quota),
    fair_share: sum(row.fair_share),
    allocated: sum(row.allocated),
    requested: sum(row.requested),
    waits: Object.fromEntries(waits)
  };
}

/** A history of these steps, minute by minute. */
export function queueHistory(
  changes: Partial<IQueueHistory> = {}
): IQueueHistory {
  return {
    step: 'minute',
    since: 0,
    until: 3600,
    rows: [],
    simulated: false,
    ...changes
  };
}
