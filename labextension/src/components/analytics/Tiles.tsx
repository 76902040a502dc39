import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { usedPart } from '../../analytics/amounts';
import type { IAmounts } from '../../analytics/amounts';
import { formatAmount, formatCost, formatPart } from '../../format/amount';
import { formatElapsed } from '../../format/time';

/** What the tiles show. */
export interface ITilesProps {
  readonly totals: IAmounts;

  /** What prices are in; null where there are none. */
  readonly currency: string | null;
  readonly trans: TranslationBundle;
}

/** The totals of a time. */
export function Tiles({ totals, currency, trans }: ITilesProps): JSX.Element {
  const hours = (value: number): string =>
    trans.__('%1 h', formatAmount(value));
  const tiles = [
    tile(
      trans.__('Allocated'),
      hours(totals.allocated),
      trans.__('GPU-hours that workloads held')
    ),
    tile(
      trans.__('Used'),
      formatPart(usedPart(totals)),
      trans.__('%1 of what was measured', hours(totals.used))
    ),
    tile(
      trans.__('Idle'),
      hours(totals.idle),
      trans.__('GPU-hours held and not used')
    ),
    tile(
      trans.__('Waited'),
      formatElapsed(totals.waited),
      trans.__('all workloads together')
    ),
    tile(
      trans.__('Preempted'),
      formatAmount(totals.preemptions),
      trans._n('time', 'times', totals.preemptions)
    ),
    totals.energy === null
      ? null
      : tile(
          trans.__('Energy'),
          trans.__('%1 kWh', formatAmount(totals.energy)),
          trans.__('by shares of the devices')
        ),
    currency === null
      ? null
      : tile(
          trans.__('Cost'),
          formatCost(totals.cost, currency),
          trans.__('by the price of each model')
        )
  ];
  return (
    <dl className="jp-Runai-tiles">
      {tiles
        .filter(each => each !== null)
        .map(({ name, value, note }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <strong>{value}</strong>
              <span>{note}</span>
            </dd>
          </div>
        ))}
    </dl>
  );
}

interface ITile {
  readonly name: string;
  readonly value: string;
  readonly note: string;
}

function tile(name: string, value: string, note: string): ITile {
  return { name, value, note };
}
