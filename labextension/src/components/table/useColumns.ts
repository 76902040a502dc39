import {
  columnOrderingFeature,
  columnResizingFeature,
  columnSizingFeature,
  columnVisibilityFeature,
  functionalUpdate,
  tableFeatures,
  useTable
} from '@tanstack/react-table';
import type { ReactTable } from '@tanstack/react-table';
import { useMemo } from 'react';

import type { ColumnId, IColumn } from '../../table/columns';
import { LEAST_SIZE, MOST_SIZE, moved, sorted } from '../../table/layout';
import type { ILayout } from '../../table/layout';
import { SELECT_SIZE } from './types';

/** What TanStack Table is used for: the columns; ten thousand live rows are arranged apart. */
const FEATURES = tableFeatures({
  columnOrderingFeature,
  columnResizingFeature,
  columnSizingFeature,
  columnVisibilityFeature
});

const NO_ROWS: object[] = [];

/** The columns as the user wants them, and how that changes. */
export interface IColumnLayout {
  /** All columns in their order, also those that are hidden. */
  readonly all: readonly IColumn[];

  /** Those that are shown. */
  readonly visible: readonly IColumn[];

  /** The widths of all that is shown, for CSS. */
  readonly template: string;

  /** How wide all that is together, in pixels. */
  readonly width: number;

  isVisible(id: ColumnId): boolean;
  show(id: ColumnId, isShown: boolean): void;
  move(id: ColumnId, by: number): void;
  widen(id: ColumnId, by: number): void;
  sort(id: ColumnId): void;
  sorting(id: ColumnId): 'ascending' | 'descending' | 'none';
  resizer(id: ColumnId): (event: unknown) => void;
}

type ColumnTable = ReactTable<typeof FEATURES, object>;

/** The columns laid out; `change` is told each new layout. */
export function useColumns(
  columns: readonly IColumn[],
  layout: ILayout,
  change: (change: (before: ILayout) => ILayout) => void
): IColumnLayout {
  const definitions = useMemo(
    () =>
      columns.map(({ id, size }) => ({
        id,
        size,
        minSize: LEAST_SIZE,
        maxSize: MOST_SIZE
      })),
    [columns]
  );
  const table = useTable({
    features: FEATURES,
    columns: definitions,
    data: NO_ROWS,
    columnResizeMode: 'onChange',
    state: {
      columnOrder: [...layout.order],
      columnVisibility: layout.visibility,
      columnSizing: layout.sizing
    },
    onColumnVisibilityChange: updater => {
      change(before => ({
        ...before,
        visibility: functionalUpdate(updater, { ...before.visibility })
      }));
    },
    onColumnSizingChange: updater => {
      change(before => ({
        ...before,
        sizing: functionalUpdate(updater, { ...before.sizing })
      }));
    }
  });
  return described(table, columns, layout, change);
}

function described(
  table: ColumnTable,
  columns: readonly IColumn[],
  layout: ILayout,
  change: (change: (before: ILayout) => ILayout) => void
): IColumnLayout {
  const byId = new Map(columns.map(column => [column.id, column]));
  const meant = (id: string): IColumn[] => {
    const column = byId.get(id as ColumnId);
    return column === undefined ? [] : [column];
  };
  const leaves = table.getVisibleLeafColumns();
  const sizes = [SELECT_SIZE, ...leaves.map(leaf => leaf.getSize())];
  return {
    all: table.getAllLeafColumns().flatMap(({ id }) => meant(id)),
    visible: leaves.flatMap(({ id }) => meant(id)),
    template: sizes.map(size => `${size}px`).join(' '),
    width: sizes.reduce((sum, size) => sum + size, 0),
    isVisible: id => table.getColumn(id)?.getIsVisible() ?? false,
    show: (id, isShown) => {
      table.getColumn(id)?.toggleVisibility(isShown);
    },
    move: (id, by) => {
      change(before => moved(before, id, by));
    },
    widen: (id, by) => {
      const size = (table.getColumn(id)?.getSize() ?? 0) + by;
      table.setColumnSizing(before => ({
        ...before,
        [id]: Math.min(MOST_SIZE, Math.max(LEAST_SIZE, size))
      }));
    },
    sort: id => {
      change(before => sorted(before, id));
    },
    sorting: id =>
      layout.sortBy === id
        ? layout.isDescending
          ? 'descending'
          : 'ascending'
        : 'none',
    resizer: id => {
      const header = table.getFlatHeaders().find(each => each.id === id);
      return header?.getResizeHandler() ?? (() => undefined);
    }
  };
}
