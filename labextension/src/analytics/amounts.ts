import type { IUsageRow } from '../wire';

/** Thousandths of a device, times milliseconds, in an hour of a device. */
const GPU_HOUR = 1000 * 3_600_000;
const KWH = 3_600_000_000;

/** What was used, in hours of devices where nothing else is said. */
export interface IAmounts {
  readonly allocated: number;
  readonly used: number;

  /** Measured and not used. */
  readonly idle: number;

  /** Allocated while nothing told how much of it was used. */
  readonly unmeasured: number;
  readonly overQuota: number;

  /** In seconds. */
  readonly waited: number;
  readonly preemptions: number;

  /** In kWh; null where no device tells. */
  readonly energy: number | null;

  /** Null where nothing has a price. */
  readonly cost: number | null;
}

/** One group and what it used. */
export interface IGroupAmounts extends IAmounts {
  /** The id of a workload or device, else a name. */
  readonly group: string;
  readonly name: string;

  /** Whose it is and of what kind, as far as that belongs to such a group. */
  readonly owner: string;
  readonly project: string;
  readonly model: string;
}

/** What these rows say together. */
export function sumOf(rows: readonly IUsageRow[]): IAmounts {
  const sum = (part: (row: IUsageRow) => number): number =>
    rows.reduce((before, row) => before + part(row), 0);
  const measured = sum(row => row.measured);
  const used = sum(row => row.used);
  const allocated = sum(row => row.allocated);
  return {
    allocated: allocated / GPU_HOUR,
    used: used / GPU_HOUR,
    idle: (measured - used) / GPU_HOUR,
    unmeasured: (allocated - measured) / GPU_HOUR,
    overQuota: sum(row => row.over_quota) / GPU_HOUR,
    waited: sum(row => row.waiting) / 1000,
    preemptions: sum(row => row.preemptions),
    energy: rows.some(row => row.energy !== null)
      ? sum(row => row.energy ?? 0) / KWH
      : null,
    cost: rows.some(row => row.cost !== null) ? sum(row => row.cost ?? 0) : null
  };
}

/** The same by groups, those with most allocated first and of as much, those that waited longest. */
export function groupsOf(rows: readonly IUsageRow[]): IGroupAmounts[] {
  const groups = new Map<string, IUsageRow[]>();
  for (const row of rows) {
    const known = groups.get(row.group);
    if (known === undefined) {
      groups.set(row.group, [row]);
    } else {
      known.push(row);
    }
  }
  return [...groups.values()]
    .flatMap(of => (of[0] === undefined ? [] : [{ ...of[0], ...sumOf(of) }]))
    .sort(
      (one, other) =>
        other.allocated - one.allocated || other.waited - one.waited
    );
}

/** Of what was measured, the part that was used; null where nothing was. */
export function usedPart({ used, idle }: IAmounts): number | null {
  return used + idle > 0 ? used / (used + idle) : null;
}

/** Those that held most without using it, at most so many. */
export function idleHolders(
  rows: readonly IUsageRow[],
  most: number
): IGroupAmounts[] {
  return groupsOf(rows)
    .filter(({ idle }) => idle > 0)
    .sort((one, other) => other.idle - one.idle)
    .slice(0, most);
}
