import type { TranslationBundle } from '@jupyterlab/translation';
import { useState } from 'react';
import type { JSX } from 'react';

import { groupsOf, usedPart } from '../../analytics/amounts';
import type { IGroupAmounts } from '../../analytics/amounts';
import { formatAmount, formatCost, formatPart } from '../../format/amount';
import { shortModel } from '../../format/device';
import { formatElapsed } from '../../format/time';
import type { IUsage } from '../../wire';
import { Section } from '../Section';
import { AmountTable } from './AmountTable';
import type { IAmountColumn } from './AmountTable';
import { UseBar, UseKey } from './UseBar';

/** How many groups are shown unless all are asked for, and how many then. */
const FEW = 10;
const MOST = 500;

/** What the table shows. */
export interface IGroupTableProps {
  readonly usage: IUsage;
  readonly trans: TranslationBundle;
}

/** What each group used, those with most first. */
export function GroupTable({ usage, trans }: IGroupTableProps): JSX.Element {
  const [showsAll, setShowsAll] = useState(false);
  const groups = groupsOf(usage.rows);
  const shown = groups.slice(0, showsAll ? MOST : FEW);
  const title = groupTitle(usage, trans);
  return (
    <Section title={title} summary={trans.__('in GPU-hours')}>
      <UseKey trans={trans} />
      <AmountTable
        title={title}
        columns={columns(usage, groups, trans)}
        rows={shown}
        id={({ group }) => group}
      />
      {groups.length > MOST && showsAll ? (
        <p className="jp-Runai-hint">
          {trans.__(
            'The first %1 of %2; all are in the CSV.',
            String(MOST),
            String(groups.length)
          )}
        </p>
      ) : null}
      {groups.length > FEW ? (
        <button
          type="button"
          className="jp-Runai-link"
          aria-expanded={showsAll}
          onClick={() => {
            setShowsAll(!showsAll);
          }}
        >
          {showsAll
            ? trans.__('Show fewer')
            : trans.__('Show all %1', String(groups.length))}
        </button>
      ) : null}
    </Section>
  );
}

function groupTitle({ by }: IUsage, trans: TranslationBundle): string {
  switch (by) {
    case 'user':
      return trans.__('By user');
    case 'workload':
      return trans.__('By workload');
    case 'device':
      return trans.__('By device');
    default:
      return trans.__('By project');
  }
}

function columns(
  usage: IUsage,
  groups: readonly IGroupAmounts[],
  trans: TranslationBundle
): IAmountColumn<IGroupAmounts>[] {
  const { by, currency } = usage;
  const longest = Math.max(0, ...groups.map(({ allocated }) => allocated));
  const energy = groups.some(each => each.energy !== null);
  return [
    { title: trans.__('Name'), cell: ({ name }) => name },
    ...identity(usage, trans),
    {
      title: trans.__('Use'),
      kind: 'picture',
      cell: row => <UseBar amounts={row} longest={longest} />
    },
    figure(trans.__('Allocated'), row => formatAmount(row.allocated)),
    figure(trans.__('Used'), row => formatPart(usedPart(row))),
    figure(trans.__('Idle'), row => formatAmount(row.idle)),
    figure(trans.__('Unmeasured'), row => formatAmount(row.unmeasured)),
    figure(trans.__('Over quota'), row => formatAmount(row.overQuota)),
    ...(by === 'device'
      ? []
      : [
          figure(trans.__('Waited'), row => formatElapsed(row.waited)),
          figure(trans.__('Preempted'), row => String(row.preemptions))
        ]),
    ...(energy
      ? [
          figure(trans.__('kWh'), row =>
            row.energy === null ? '–' : formatAmount(row.energy)
          )
        ]
      : []),
    ...(currency === null
      ? []
      : [figure(trans.__('Cost'), row => formatCost(row.cost, currency))])
  ];
}

/** Whose a workload is, and what a device is. */
function identity(
  { by }: IUsage,
  trans: TranslationBundle
): IAmountColumn<IGroupAmounts>[] {
  if (by === 'workload') {
    return [
      { title: trans.__('Owner'), kind: 'text', cell: ({ owner }) => owner },
      {
        title: trans.__('Project'),
        kind: 'text',
        cell: ({ project }) => project
      }
    ];
  }
  return by === 'device'
    ? [
        {
          title: trans.__('Model'),
          kind: 'text',
          cell: ({ model }) => shortModel(model)
        }
      ]
    : [];
}

function figure(
  title: string,
  cell: (row: IGroupAmounts) => string
): IAmountColumn<IGroupAmounts> {
  return { title, cell };
}
