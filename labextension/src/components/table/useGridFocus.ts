import { useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { FocusEvent, KeyboardEvent, RefObject } from 'react';

import type { IArranged, Row } from '../../table/arrange';
import { placeAfter } from '../../table/navigation';
import type { IPlace } from '../../table/navigation';
import { HEADING, ROW_HEIGHT } from './types';
import type { GridColumn, IActiveCell } from './types';
import type { IColumnLayout } from './useColumns';
import type { ISelection } from './useSelection';

/** How much wider or narrower a key makes a column, in pixels. */
const WIDER = 16;

/** What the grid's focus depends on. */
export interface IGridFocusOptions {
  readonly arranged: IArranged;
  readonly layout: IColumnLayout;
  readonly selection: ISelection;
  readonly scroller: RefObject<HTMLElement>;
}

/** The one cell that can be tabbed to, and the keys that move it. */
export interface IGridFocus {
  readonly active: IActiveCell;

  /** The place of its row among the rows, from 0; null for the heading. */
  readonly activeIndex: number | null;

  onKeyDown(event: KeyboardEvent<HTMLElement>): void;
  onFocus(event: FocusEvent<HTMLElement>): void;
}

/** A roving focus that follows its workload wherever a change of order takes it. */
export function useGridFocus(options: IGridFocusOptions): IGridFocus {
  const { arranged, layout, selection, scroller } = options;
  const { rows } = arranged;
  const [chosen, setChosen] = useState<IActiveCell>({
    row: HEADING,
    column: 'select'
  });
  const columns = columnsOf(layout);
  const found = useMemo(
    () => rows.findIndex(({ key }) => key === chosen.row),
    [rows, chosen.row]
  );
  const active = {
    row: found === -1 ? HEADING : chosen.row,
    column: columns.includes(chosen.column) ? chosen.column : 'select'
  };
  const isMoving = useRef(false);
  useLayoutEffect(() => {
    if (isMoving.current) {
      isMoving.current = false;
      element(scroller.current, active)?.focus({ preventScroll: true });
    }
  });
  const go = ({ row, column }: IPlace): void => {
    isMoving.current = true;
    reveal(scroller.current, row - 1);
    const key = rows[row - 1]?.key ?? HEADING;
    setChosen({ row: key, column: columns[column] ?? 'select' });
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>): void => {
    if (isHandled(event, active, options)) {
      event.preventDefault();
      isMoving.current = true;
      return;
    }
    const from = { row: found + 1, column: columns.indexOf(active.column) };
    const to = placeAfter(event.key, isControl(event), from, {
      lastRow: rows.length,
      lastColumn: columns.length - 1,
      page: rowsOf(scroller.current)
    });
    if (to !== null) {
      event.preventDefault();
      if (event.shiftKey && to.row !== from.row) {
        extend(selection, rows, from, to);
      }
      go(to);
    }
  };
  return {
    active,
    activeIndex: found === -1 ? null : found,
    onKeyDown,
    onFocus: ({ target }) => {
      setChosen(before => cellOf(target) ?? before);
    }
  };
}

/** How many rows can be seen, less one to go on reading from. */
function rowsOf(scroller: HTMLElement | null): number {
  return Math.floor((scroller?.clientHeight ?? 0) / ROW_HEIGHT) - 2;
}

function columnsOf(layout: IColumnLayout): GridColumn[] {
  return ['select', ...layout.visible.map(({ id }) => id)];
}

/** Keys that do something where they are pressed. */
function isHandled(
  event: KeyboardEvent<HTMLElement>,
  active: IActiveCell,
  { arranged, layout, selection }: IGridFocusOptions
): boolean {
  const { key, shiftKey } = event;
  const { row, column } = active;
  const by = key === 'ArrowLeft' ? -1 : key === 'ArrowRight' ? 1 : 0;
  if (row === HEADING && column !== 'select' && by !== 0) {
    if (isControl(event)) {
      layout.move(column, by);
      return true;
    }
    if (shiftKey) {
      layout.widen(column, by * WIDER);
      return true;
    }
  }
  if (key === 'a' && isControl(event)) {
    selection.set(arranged.shown.map(({ id }) => id));
    return true;
  }
  if (key === 'Escape' && selection.ids.size > 0) {
    selection.set([]);
    return true;
  }
  const isWorkload = arranged.shown.some(({ id }) => id === row);
  if (key === ' ' && isWorkload && column !== 'select') {
    selection.toggle(row, shiftKey);
    return true;
  }
  return false;
}

function isControl({ ctrlKey, metaKey }: KeyboardEvent): boolean {
  return ctrlKey || metaKey;
}

/** Select both ends of a step too. */
function extend(
  selection: ISelection,
  rows: readonly Row[],
  ...places: readonly IPlace[]
): void {
  const keys = places.flatMap(({ row }) => {
    const at = rows[row - 1];
    return at?.type === 'workload' ? [at.key] : [];
  });
  selection.set([...selection.ids, ...keys]);
}

/** Scroll so far that a row can be seen, below the heading that stays. */
function reveal(scroller: HTMLElement | null, index: number): void {
  if (scroller === null || index < 0) {
    return;
  }
  const top = index * ROW_HEIGHT;
  const room = scroller.clientHeight - 2 * ROW_HEIGHT;
  if (top < scroller.scrollTop) {
    scroller.scrollTop = top;
  } else if (top > scroller.scrollTop + room) {
    scroller.scrollTop = top - room;
  }
}

function element(
  scroller: HTMLElement | null,
  { row, column }: IActiveCell
): HTMLElement | null {
  const line =
    row === HEADING
      ? scroller?.querySelector('.jp-Runai-gridHeading')
      : scroller?.querySelector(`[data-row="${CSS.escape(row)}"]`);
  return (
    line?.querySelector<HTMLElement>(`[data-column="${column}"]`) ??
    line?.querySelector<HTMLElement>('[data-column]') ??
    null
  );
}

function cellOf(target: EventTarget): IActiveCell | null {
  if (!(target instanceof HTMLElement)) {
    return null;
  }
  const column = target.dataset.column as GridColumn | undefined;
  const row = target.closest<HTMLElement>('[data-row]')?.dataset.row;
  return column === undefined ? null : { row: row ?? HEADING, column };
}
