import type { TranslationBundle } from '@jupyterlab/translation';
import { defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual';
import type { Range, Virtualizer } from '@tanstack/react-virtual';
import { useCallback, useRef } from 'react';
import type { CSSProperties, JSX, RefObject } from 'react';

import { hasEnded } from '../../model/workloads';
import type { IArranged, Row } from '../../table/arrange';
import { GridHeading } from './GridHeading';
import { GroupHeading, GridRow } from './GridRow';
import { HEADING, ROW_HEIGHT } from './types';
import type { IColumnLayout } from './useColumns';
import { useGridFocus } from './useGridFocus';
import type { IGridFocus } from './useGridFocus';
import { useSlots } from './useSlots';
import type { ISelection } from './useSelection';

/** How many rows beyond the edges are rendered. */
const OVERSCAN = 12;

/** What the grid shows. */
export interface IGridProps {
  readonly arranged: IArranged;
  readonly layout: IColumnLayout;
  readonly selection: ISelection;
  readonly trans: TranslationBundle;

  /** The time in seconds. */
  readonly now: number;

  readonly open: (id: string) => void;
  readonly toggleGroup: (label: string) => void;
}

/** The workloads as an ARIA grid that renders only what can be seen, and the cell that has the focus. */
export function Grid(props: IGridProps): JSX.Element {
  const { arranged, layout, selection, trans } = props;
  const { rows, shown } = arranged;
  const scroller = useRef<HTMLDivElement>(null);
  const focus = useGridFocus({ arranged, layout, selection, scroller });
  const virtualizer = useRows(rows, focus.activeIndex, scroller);
  const all = selection.ids.size > 0 && selection.ids.size === shown.length;
  const some = selection.ids.size > 0 ? 'some' : 'none';
  return (
    <div
      ref={scroller}
      role="grid"
      className="jp-Runai-grid"
      aria-label={trans.__('Workloads')}
      aria-multiselectable="true"
      aria-rowcount={rows.length + 1}
      aria-colcount={layout.visible.length + 1}
      style={{ '--jp-runai-columns': layout.template } as CSSProperties}
      onKeyDown={focus.onKeyDown}
      onFocus={focus.onFocus}
    >
      <div
        role="rowgroup"
        className="jp-Runai-gridHead"
        style={{ width: layout.width }}
      >
        <GridHeading
          layout={layout}
          active={focus.active.row === HEADING ? focus.active.column : null}
          selected={all ? 'all' : some}
          trans={trans}
          selectAll={isSelected => {
            selection.set(isSelected ? shown.map(({ id }) => id) : []);
          }}
        />
      </div>
      <div
        role="rowgroup"
        className="jp-Runai-gridBody"
        style={{ height: virtualizer.getTotalSize(), width: layout.width }}
      >
        {useRendered(rows, virtualizer).map(({ index, slot }) => (
          <RowAt key={slot} {...props} index={index} focus={focus} />
        ))}
      </div>
    </div>
  );
}

/** Which rows are to be rendered: those that can be seen, and the one with the focus. */
function useRows(
  rows: readonly Row[],
  activeIndex: number | null,
  scroller: RefObject<HTMLDivElement>
): Virtualizer<HTMLDivElement, Element> {
  return useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: OVERSCAN,
    getItemKey: useCallback((index: number) => rows[index]?.key ?? '', [rows]),
    rangeExtractor: useCallback(
      (range: Range) => {
        const places = defaultRangeExtractor(range);
        return activeIndex === null || places.includes(activeIndex)
          ? places
          : [...places, activeIndex].sort((one, other) => one - other);
      },
      [activeIndex]
    )
  });
}

interface IRendered {
  /** Its place among the rows. */
  readonly index: number;

  /** Its place in the document. */
  readonly slot: number;
}

/** The rows that are rendered: in their order, but while somebody scrolls so that no element moves in the document. */
function useRendered(
  rows: readonly Row[],
  virtualizer: Virtualizer<HTMLDivElement, Element>
): readonly IRendered[] {
  const items = virtualizer.getVirtualItems();
  const keyAt = (index: number): string => rows[index]?.key ?? '';
  const slots = useSlots(items.map(({ index }) => keyAt(index)));
  const rendered = items.map(({ index }) => ({
    index,
    slot: slots.get(keyAt(index)) ?? 0
  }));
  return virtualizer.isScrolling
    ? rendered.sort((one, other) => one.slot - other.slot)
    : rendered;
}

interface IRowAtProps extends IGridProps {
  readonly index: number;
  readonly focus: IGridFocus;
}

function RowAt(props: IRowAtProps): JSX.Element | null {
  const { arranged, layout, selection, trans, now, index, focus } = props;
  const row = arranged.rows[index];
  if (row === undefined) {
    return null;
  }
  const active = focus.active.row === row.key ? focus.active.column : null;
  if (row.type === 'group') {
    return (
      <GroupHeading
        group={row}
        index={index}
        span={layout.visible.length + 1}
        isActive={active !== null}
        trans={trans}
        toggle={props.toggleGroup}
      />
    );
  }
  const { workload } = row;
  return (
    <GridRow
      workload={workload}
      columns={layout.visible}
      index={index}
      now={hasEnded(workload) ? 0 : now}
      isSelected={selection.ids.has(workload.id)}
      active={active}
      trans={trans}
      open={props.open}
      toggle={selection.toggle}
    />
  );
}
