import type { TranslationBundle } from '@jupyterlab/translation';
import { memo } from 'react';
import type { JSX } from 'react';

import { stateGlyph } from '../../format/words';
import type { IGroupRow } from '../../table/arrange';
import type { IColumn } from '../../table/columns';
import type { IWorkload } from '../../wire';
import { ROW_HEIGHT } from './types';
import type { GridColumn } from './types';

/** What a workload's row shows. */
export interface IGridRowProps {
  readonly workload: IWorkload;
  readonly columns: readonly IColumn[];

  /** Its place among the rows, from 0. */
  readonly index: number;

  /** The time in seconds; any for one that has ended. */
  readonly now: number;
  readonly isSelected: boolean;

  /** The column whose cell can be tabbed to, if it is in this row. */
  readonly active: GridColumn | null;
  readonly trans: TranslationBundle;

  readonly open: (id: string) => void;
  readonly toggle: (id: string, isRange: boolean) => void;
}

/** A workload as a row of the grid. */
export const GridRow = memo(function GridRow(
  props: IGridRowProps
): JSX.Element {
  const { workload, columns, index, isSelected, active, trans } = props;
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      className="jp-Runai-gridRow"
      data-row={workload.id}
      data-state={workload.state}
      style={{ transform: `translateY(${index * ROW_HEIGHT}px)` }}
    >
      <div role="gridcell" aria-colindex={1} className="jp-Runai-cell">
        <input
          type="checkbox"
          data-column="select"
          tabIndex={active === 'select' ? 0 : -1}
          aria-label={trans.__('Select %1', workload.name)}
          checked={isSelected}
          onChange={({ nativeEvent }) => {
            props.toggle(
              workload.id,
              nativeEvent instanceof MouseEvent && nativeEvent.shiftKey
            );
          }}
        />
      </div>
      {columns.map((column, place) =>
        column.id === 'name'
          ? nameCell(props, column, place)
          : cell(props, column, place)
      )}
    </div>
  );
});

// Elements and no components: hundreds of them are made in each frame while somebody scrolls.

function nameCell(
  { workload, now, active, trans, open }: IGridRowProps,
  column: IColumn,
  place: number
): JSX.Element {
  const text = column.text(workload, now);
  return (
    <div
      key={column.id}
      role="gridcell"
      aria-colindex={place + 2}
      className="jp-Runai-cell"
    >
      <button
        type="button"
        className="jp-Runai-workloadName"
        data-column={column.id}
        tabIndex={active === column.id ? 0 : -1}
        title={trans.__('Show the details of %1', text)}
        onClick={() => {
          open(workload.id);
        }}
      >
        {text}
      </button>
    </div>
  );
}

function cell(
  { workload, now, active }: IGridRowProps,
  column: IColumn,
  place: number
): JSX.Element {
  const text = column.text(workload, now);
  return (
    <div
      key={column.id}
      role="gridcell"
      aria-colindex={place + 2}
      className={
        column.isNumeric ? 'jp-Runai-cell jp-mod-numeric' : 'jp-Runai-cell'
      }
      data-column={column.id}
      tabIndex={active === column.id ? 0 : -1}
      title={text}
    >
      {column.id === 'state' ? glyph(workload) : null}
      {text}
    </div>
  );
}

function glyph(workload: IWorkload): JSX.Element {
  return (
    <span
      className={`jp-Runai-glyph jp-mod-${workload.state}`}
      aria-hidden="true"
    >
      {stateGlyph(workload)}
    </span>
  );
}

/** What a group's heading shows. */
export interface IGroupHeadingProps {
  readonly group: IGroupRow;
  readonly index: number;

  /** How many columns it is as wide as. */
  readonly span: number;
  readonly isActive: boolean;
  readonly trans: TranslationBundle;
  readonly toggle: (label: string) => void;
}

/** A group's heading as a row of the grid; opens and closes it. */
export const GroupHeading = memo(function GroupHeading(
  props: IGroupHeadingProps
): JSX.Element {
  const { group, index, span, isActive, trans, toggle } = props;
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      className="jp-Runai-gridRow jp-mod-group"
      data-row={group.key}
      style={{ transform: `translateY(${index * ROW_HEIGHT}px)` }}
    >
      <div
        role="gridcell"
        aria-colindex={1}
        aria-colspan={span}
        className="jp-Runai-cell"
      >
        <button
          type="button"
          className="jp-Runai-groupButton"
          data-column="select"
          tabIndex={isActive ? 0 : -1}
          aria-expanded={!group.isCollapsed}
          onClick={() => {
            toggle(group.label);
          }}
        >
          <span aria-hidden="true">{group.isCollapsed ? '▸' : '▾'}</span>{' '}
          {group.label === '' ? trans.__('none') : group.label}{' '}
          <span className="jp-Runai-summary">{group.count}</span>
        </button>
      </div>
    </div>
  );
});
