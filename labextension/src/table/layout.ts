import type { PartialJSONObject } from '@lumino/coreutils';

import type { ColumnId, IColumn } from './columns';

/** How a user wants the table; order, visibility and sizing as TanStack Table has them. */
export interface ILayout {
  /** All columns, in their order. */
  readonly order: readonly ColumnId[];
  readonly visibility: Readonly<Record<string, boolean>>;

  /** Widths that somebody chose, in pixels. */
  readonly sizing: Readonly<Record<string, number>>;
  readonly sortBy: ColumnId;
  readonly isDescending: boolean;
  readonly groupBy: ColumnId | null;
}

/** The narrowest that a column may be, in pixels. */
export const LEAST_SIZE = 48;

/** The widest. */
export const MOST_SIZE = 1200;

/** The layout until somebody changes it: newest first. */
export function defaultLayout(columns: readonly IColumn[]): ILayout {
  return {
    order: columns.map(({ id }) => id),
    visibility: Object.fromEntries(
      columns.map(({ id, isHidden }) => [id, isHidden !== true])
    ),
    sizing: {},
    sortBy: 'created',
    isDescending: true,
    groupBy: null
  };
}

/** A remembered layout as far as it can be understood; columns it did not know come last. */
export function restoreLayout(
  saved: PartialJSONObject | undefined,
  columns: readonly IColumn[]
): ILayout {
  const usual = defaultLayout(columns);
  if (saved === undefined) {
    return usual;
  }
  const known = (value: unknown): value is ColumnId =>
    columns.some(({ id }) => id === value);
  const list = (value: unknown): ColumnId[] =>
    Array.isArray(value) ? [...new Set(value.filter(known))] : [];
  const order = list(saved.order);
  const added = usual.order.filter(id => !order.includes(id));
  return {
    order: [...order, ...added],
    visibility: {
      ...usual.visibility,
      ...entries(saved.visibility, known, each => typeof each === 'boolean')
    },
    sizing: entries(saved.sizing, known, isSize),
    sortBy: known(saved.sortBy) ? saved.sortBy : usual.sortBy,
    isDescending:
      typeof saved.isDescending === 'boolean'
        ? saved.isDescending
        : usual.isDescending,
    groupBy: known(saved.groupBy) ? saved.groupBy : null
  };
}

/** The layout with a column moved by so many places. */
export function moved(layout: ILayout, id: ColumnId, by: number): ILayout {
  const order = [...layout.order];
  const from = order.indexOf(id);
  const to = Math.min(order.length - 1, Math.max(0, from + by));
  order.splice(from, 1);
  order.splice(to, 0, id);
  return { ...layout, order };
}

/** The layout sorted by a column: the other way round where it is already. */
export function sorted(layout: ILayout, id: ColumnId): ILayout {
  return {
    ...layout,
    sortBy: id,
    isDescending: layout.sortBy === id ? !layout.isDescending : false
  };
}

function entries<T>(
  saved: unknown,
  known: (value: unknown) => value is ColumnId,
  isMeant: (value: unknown) => value is T
): Record<string, T> {
  const found: Record<string, T> = {};
  for (const [id, value] of Object.entries(saved ?? {})) {
    if (known(id) && isMeant(value)) {
      found[id] = value;
    }
  }
  return found;
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && value >= LEAST_SIZE && value <= MOST_SIZE;
}
