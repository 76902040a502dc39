import type { IWorkload } from '../wire';
import type { IColumn } from './columns';
import { matches } from './query';
import type { IQuery } from './query';

/** A group's heading among the rows. */
export interface IGroupRow {
  readonly type: 'group';
  readonly key: string;
  readonly label: string;
  readonly count: number;
  readonly isCollapsed: boolean;
}

/** A workload among the rows. */
export interface IWorkloadRow {
  readonly type: 'workload';
  readonly key: string;
  readonly workload: IWorkload;
}

/** One row of the table. */
export type Row = IGroupRow | IWorkloadRow;

/** Which workloads are shown, in which order and groups. */
export interface IArrangement {
  readonly query: IQuery;

  /** Who `owner:me` is. */
  readonly user: string;

  readonly sortBy: IColumn;
  readonly isDescending: boolean;

  /** The column by whose text they are grouped; null for no groups. */
  readonly groupBy: IColumn | null;

  /** The groups that are closed, by their label. */
  readonly collapsed: ReadonlySet<string>;

  /** The time in seconds. */
  readonly now: number;
}

/** The rows, and the workloads that passed the filter in the same order. */
export interface IArranged {
  readonly rows: readonly Row[];
  readonly shown: readonly IWorkload[];
}

/**
 * Filters, sorts and groups workloads.
 *
 * It starts each time from the order it found last: what is nearly sorted is
 * sorted in one pass, so a few changes among ten thousand cost little.
 */
export class Arranger {
  /** The rows for these workloads. */
  arrange(
    workloads: readonly IWorkload[],
    arrangement: IArrangement
  ): IArranged {
    const { query, user } = arrangement;
    const passing =
      query.terms.length === 0
        ? workloads
        : workloads.filter(each => matches(each, query, user));
    const shown = this._sorted(passing, arrangement);
    return { rows: rows(shown, arrangement), shown };
  }

  private _sorted(
    workloads: readonly IWorkload[],
    { sortBy, isDescending, now }: IArrangement
  ): IWorkload[] {
    const sorted = this._inLastOrder(workloads);
    const sign = isDescending ? -1 : 1;
    sorted.sort((one, other) => {
      const mine = sortBy.key(one, now);
      const theirs = sortBy.key(other, now);
      return mine < theirs
        ? -sign
        : mine > theirs
          ? sign
          : other.created - one.created;
    });
    this._order = sorted.map(({ id }) => id);
    return sorted;
  }

  private _inLastOrder(workloads: readonly IWorkload[]): IWorkload[] {
    const left = new Map(workloads.map(each => [each.id, each]));
    const found: IWorkload[] = [];
    for (const id of this._order) {
      const workload = left.get(id);
      if (workload !== undefined) {
        found.push(workload);
        left.delete(id);
      }
    }
    return found.concat([...left.values()]);
  }

  private _order: readonly string[] = [];
}

function rows(
  shown: readonly IWorkload[],
  { groupBy, collapsed, now }: IArrangement
): Row[] {
  if (groupBy === null) {
    return shown.map(row);
  }
  const groups = new Map<string, IWorkload[]>();
  for (const workload of shown) {
    const label = groupBy.text(workload, now);
    const group = groups.get(label);
    if (group === undefined) {
      groups.set(label, [workload]);
    } else {
      group.push(workload);
    }
  }
  const keyOf = ([, [first]]: [string, IWorkload[]]): number | string =>
    first === undefined ? '' : groupBy.key(first, now);
  return [...groups]
    .sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
    .flatMap(([label, members]): Row[] => {
      const isCollapsed = collapsed.has(label);
      const heading: IGroupRow = {
        type: 'group',
        key: `group:${label}`,
        label,
        count: members.length,
        isCollapsed
      };
      return isCollapsed ? [heading] : [heading, ...members.map(row)];
    });
}

function row(workload: IWorkload): IWorkloadRow {
  return { type: 'workload', key: workload.id, workload };
}
