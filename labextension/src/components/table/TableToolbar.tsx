import type { TranslationBundle } from '@jupyterlab/translation';
import { useId } from 'react';
import type { JSX } from 'react';

import type { ColumnId, IColumn } from '../../table/columns';
import { FIELDS } from '../../table/query';
import { ColumnsMenu } from './ColumnsMenu';
import type { IColumnLayout } from './useColumns';

/** The columns by which rows may be grouped. */
const GROUPS: readonly ColumnId[] = [
  'state',
  'queue',
  'owner',
  'kind',
  'priority',
  'node'
];

/** What the toolbar shows and does. */
export interface ITableToolbarProps {
  readonly filter: string;

  /** Fields that the filter names and that do not exist. */
  readonly unknown: readonly string[];
  readonly groupBy: ColumnId | null;
  readonly columns: readonly IColumn[];
  readonly layout: IColumnLayout;

  /** How many workloads passed the filter, and of how many. */
  readonly count: number;
  readonly total: number;
  readonly trans: TranslationBundle;

  readonly setFilter: (filter: string) => void;
  readonly setGroupBy: (column: ColumnId | null) => void;
  readonly reset: () => void;
  readonly exportCsv: () => void;
  readonly submit: () => void;
}

/** The table's filter, groups, columns and export. */
export function TableToolbar(props: ITableToolbarProps): JSX.Element {
  const { layout, count, total, trans } = props;
  return (
    <div className="jp-Runai-tableTools">
      <Filter {...props} />
      <span className="jp-Runai-summary" role="status">
        {count === total
          ? trans._n('%1 workload', '%1 workloads', total)
          : trans.__('%1 of %2', String(count), String(total))}
      </span>
      <span className="jp-Runai-spacer" />
      <GroupChoice {...props} />
      <ColumnsMenu layout={layout} trans={trans} reset={props.reset} />
      <button
        type="button"
        className="jp-Runai-action"
        title={trans.__('Save what is shown as comma-separated values')}
        onClick={props.exportCsv}
      >
        {trans.__('Export CSV')}
      </button>
      <button type="button" className="jp-Runai-action" onClick={props.submit}>
        {trans.__('New workload…')}
      </button>
    </div>
  );
}

function Filter(props: ITableToolbarProps): JSX.Element {
  const { filter, unknown, trans, setFilter } = props;
  const help = useId();
  return (
    <div className="jp-Runai-filter">
      <input
        type="search"
        value={filter}
        spellCheck={false}
        aria-label={trans.__('Filter')}
        aria-describedby={help}
        aria-invalid={unknown.length > 0}
        placeholder={trans.__('Filter: state:pending project:a text')}
        title={trans.__(
          'Fields: %1. A comma separates alternatives, a minus before a term excludes, quotes keep spaces together; owner:me are yours.',
          FIELDS.join(', ')
        )}
        onChange={({ currentTarget }) => {
          setFilter(currentTarget.value);
        }}
        onKeyDown={event => {
          if (event.key === 'Escape' && filter !== '') {
            event.stopPropagation();
            setFilter('');
          }
        }}
      />
      <p id={help} className="jp-Runai-filterProblem">
        {unknown.length === 0
          ? null
          : trans.__(
              'No such field: %1. Fields: %2.',
              unknown.join(', '),
              FIELDS.join(', ')
            )}
      </p>
    </div>
  );
}

function GroupChoice(props: ITableToolbarProps): JSX.Element {
  const { groupBy, columns, trans, setGroupBy } = props;
  return (
    <label className="jp-Runai-choice">
      {trans.__('Group by')}{' '}
      <select
        value={groupBy ?? ''}
        onChange={({ currentTarget: { value } }) => {
          setGroupBy(value === '' ? null : (value as ColumnId));
        }}
      >
        <option value="">{trans.__('nothing')}</option>
        {columns
          .filter(({ id }) => GROUPS.includes(id))
          .map(({ id, title }) => (
            <option key={id} value={id}>
              {title}
            </option>
          ))}
      </select>
    </label>
  );
}
