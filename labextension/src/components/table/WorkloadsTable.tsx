import type { TranslationBundle } from '@jupyterlab/translation';
import { useDeferredValue, useMemo, useState } from 'react';
import type { JSX } from 'react';

import { Arranger } from '../../table/arrange';
import type { IArranged } from '../../table/arrange';
import { columns as allColumns } from '../../table/columns';
import type { IColumn } from '../../table/columns';
import { toCsv } from '../../table/csv';
import { defaultLayout } from '../../table/layout';
import type { ILayout } from '../../table/layout';
import { parseQuery } from '../../table/query';
import type { IQuery } from '../../table/query';
import type { IEngineModel } from '../../tokens';
import type { IWorkload } from '../../wire';
import type { ITableActions } from '../actions';
import { useChanges, useNow } from '../hooks';
import { Indicator } from '../Indicator';
import { NoEngine } from '../NoEngine';
import { Grid } from './Grid';
import { SelectionBar } from './SelectionBar';
import { TableToolbar } from './TableToolbar';
import { useColumns } from './useColumns';
import { useSelection } from './useSelection';
import type { ISelection } from './useSelection';

/** What the table shows. */
export interface IWorkloadsTableProps {
  readonly model: IEngineModel;

  /** How the user wants it; changed by `changeLayout` alone. */
  readonly layout: ILayout;
  readonly actions: ITableActions;
  readonly trans: TranslationBundle;

  /** Whether somebody can see it. */
  readonly isVisible: boolean;

  readonly changeLayout: (change: (before: ILayout) => ILayout) => void;
}

/** All workloads of the engine, live, to filter, sort, group and act on. */
export function WorkloadsTable(props: IWorkloadsTableProps): JSX.Element {
  const { model, trans, isVisible } = props;
  useChanges(model, isVisible);
  const { connection, info } = model;
  const isStale = connection.phase !== 'live';
  const clock = useNow(isVisible && !isStale);
  const now =
    isStale && connection.heard !== null ? connection.heard / 1000 : clock;
  return (
    <div className="jp-Runai-table">
      <div className="jp-Runai-header">
        <h2 className="jp-Runai-title">
          {info?.simulated
            ? trans.__('GPU workloads (simulated)')
            : trans.__('GPU workloads')}
        </h2>
        <Indicator connection={connection} trans={trans} />
      </div>
      <NoEngine connection={connection} trans={trans} />
      <Contents {...props} now={now} isStale={isStale} />
    </div>
  );
}

interface IContentsProps extends IWorkloadsTableProps {
  readonly now: number;
  readonly isStale: boolean;
}

function Contents(props: IContentsProps): JSX.Element {
  const { model, actions, trans, now, isStale, changeLayout } = props;
  const columns = useMemo(() => allColumns(trans), [trans]);
  const [filter, setFilter] = useState('');
  const query = useMemo(() => parseQuery(filter), [filter]);
  const [collapsed, toggleGroup] = useToggles();
  const layout = useColumns(columns, props.layout, changeLayout);
  const arranged = useArranged(props, columns, query, collapsed);
  const { shown } = arranged;
  const selection = useSelection(shown);
  return (
    <>
      <TableToolbar
        filter={filter}
        unknown={query.unknown}
        groupBy={props.layout.groupBy}
        columns={columns}
        layout={layout}
        count={shown.length}
        total={model.workloads.length}
        trans={trans}
        setFilter={setFilter}
        setGroupBy={groupBy => {
          changeLayout(before => ({ ...before, groupBy }));
        }}
        reset={() => {
          changeLayout(() => defaultLayout(columns));
        }}
        exportCsv={() => {
          actions.save('workloads.csv', toCsv(shown, layout.visible, now));
        }}
        submit={actions.submit}
      />
      <Chosen {...props} shown={shown} selection={selection} />
      <div className={`jp-Runai-gridFrame${isStale ? ' jp-mod-stale' : ''}`}>
        <Grid
          arranged={arranged}
          layout={layout}
          selection={selection}
          trans={trans}
          now={now}
          open={actions.openDetails}
          toggleGroup={toggleGroup}
        />
        <Nothing {...props} shown={shown} />
      </div>
    </>
  );
}

interface IShownProps extends IContentsProps {
  readonly shown: readonly IWorkload[];
}

function Chosen(
  props: IShownProps & { readonly selection: ISelection }
): JSX.Element | null {
  const { model, actions, trans, shown, selection } = props;
  if (selection.ids.size === 0) {
    return null;
  }
  return (
    <SelectionBar
      selected={shown.filter(({ id }) => selection.ids.has(id))}
      isMine={workload => model.isMine(workload)}
      actions={actions}
      trans={trans}
      clear={() => {
        selection.set([]);
      }}
    />
  );
}

function Nothing({ model, trans, shown }: IShownProps): JSX.Element | null {
  if (shown.length > 0 || model.info === null) {
    return null;
  }
  return (
    <p className="jp-Runai-empty">
      {model.workloads.length === 0
        ? trans.__('Nothing submitted yet.')
        : trans.__('Nothing passes the filter.')}
    </p>
  );
}

function useArranged(
  { model, layout, now }: IContentsProps,
  columns: readonly IColumn[],
  query: IQuery,
  collapsed: ReadonlySet<string>
): IArranged {
  const [arranger] = useState(() => new Arranger());
  // Typing comes first: ten thousand rows follow when there is time.
  const deferred = useDeferredValue(query);
  const { workloads } = model;
  const user = model.info?.user ?? '';
  const find = (wanted: string | null): IColumn | null =>
    columns.find(({ id }) => id === wanted) ?? null;
  const sortBy = find(layout.sortBy);
  const groupBy = find(layout.groupBy);
  // What time does not change is not arranged anew each second.
  const moment = sortBy?.isTimed || groupBy?.isTimed ? now : 0;
  return useMemo(() => {
    const [first] = columns;
    if (first === undefined) {
      return { rows: [], shown: [] };
    }
    return arranger.arrange(workloads, {
      query: deferred,
      user,
      sortBy: sortBy ?? first,
      isDescending: layout.isDescending,
      groupBy,
      collapsed,
      now: moment
    });
  }, [
    arranger,
    workloads,
    columns,
    deferred,
    user,
    sortBy,
    layout.isDescending,
    groupBy,
    collapsed,
    moment
  ]);
}

function useToggles(): [ReadonlySet<string>, (label: string) => void] {
  const [labels, setLabels] = useState<ReadonlySet<string>>(new Set());
  const toggle = useMemo(
    () =>
      (label: string): void => {
        setLabels(before => {
          const after = new Set(before);
          if (!after.delete(label)) {
            after.add(label);
          }
          return after;
        });
      },
    []
  );
  return [labels, toggle];
}
