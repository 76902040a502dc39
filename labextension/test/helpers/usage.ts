import type { IUsage, IUsageRow } from '../../src/wire';

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
    ...changes
  };
}
