import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import type { IColumn } from '../../table/columns';
import type { GridColumn } from './types';
import type { IColumnLayout } from './useColumns';

/** What the heading shows. */
export interface IGridHeadingProps {
  readonly layout: IColumnLayout;

  /** The column whose cell can be tabbed to, if it is in the heading. */
  readonly active: GridColumn | null;

  /** How many of those shown are selected. */
  readonly selected: 'none' | 'some' | 'all';
  readonly trans: TranslationBundle;
  readonly selectAll: (isSelected: boolean) => void;
}

/** The row of the columns' titles: sorts, resizes and moves columns. */
export function GridHeading(props: IGridHeadingProps): JSX.Element {
  const { layout, active, selected, trans, selectAll } = props;
  return (
    <div role="row" aria-rowindex={1} className="jp-Runai-gridHeading">
      <div role="columnheader" aria-colindex={1} className="jp-Runai-cell">
        <input
          ref={box => {
            if (box !== null) {
              box.indeterminate = selected === 'some';
            }
          }}
          type="checkbox"
          data-column="select"
          tabIndex={active === 'select' ? 0 : -1}
          aria-label={trans.__('Select all that are shown')}
          checked={selected === 'all'}
          onChange={({ currentTarget }) => {
            selectAll(currentTarget.checked);
          }}
        />
      </div>
      {layout.visible.map((column, place) => (
        <ColumnHeading
          key={column.id}
          column={column}
          place={place + 2}
          layout={layout}
          isActive={active === column.id}
          trans={trans}
        />
      ))}
    </div>
  );
}

interface IColumnHeadingProps extends Pick<
  IGridHeadingProps,
  'layout' | 'trans'
> {
  readonly column: IColumn;
  readonly place: number;
  readonly isActive: boolean;
}

function ColumnHeading(props: IColumnHeadingProps): JSX.Element {
  const { column, place, layout, isActive, trans } = props;
  const sorted = layout.sorting(column.id);
  return (
    <div
      role="columnheader"
      aria-colindex={place}
      aria-sort={sorted}
      className={`jp-Runai-cell${column.isNumeric ? ' jp-mod-numeric' : ''}`}
    >
      <button
        type="button"
        className="jp-Runai-columnButton"
        data-column={column.id}
        tabIndex={isActive ? 0 : -1}
        title={trans.__(
          '%1: Enter sorts, Ctrl+Left and Ctrl+Right move the column, Shift+Left and Shift+Right make it narrower and wider',
          column.title
        )}
        aria-label={column.title}
        onClick={() => {
          layout.sort(column.id);
        }}
      >
        <span className="jp-Runai-name">{column.title}</span>
        <span aria-hidden="true">{mark(sorted)}</span>
      </button>
      <span
        aria-hidden="true"
        className="jp-Runai-resizer"
        onMouseDown={layout.resizer(column.id)}
        onTouchStart={layout.resizer(column.id)}
      />
    </div>
  );
}

function mark(sorted: 'ascending' | 'descending' | 'none'): string {
  switch (sorted) {
    case 'ascending':
      return '▲';
    case 'descending':
      return '▼';
    case 'none':
      return '';
  }
}
