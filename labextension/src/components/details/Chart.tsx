import type { TranslationBundle } from '@jupyterlab/translation';
import { useMemo } from 'react';
import type { JSX } from 'react';

import { formatDate } from '../../format/time';
import { Plot } from '../charts/Plot';
import type { ILook } from '../charts/Plot';

/** How its line is drawn. */
const LOOKS: readonly ILook[] = [{ colour: '--jp-brand-color1', fill: 15 }];

/** How many rows the table for screen readers has: the newest. */
const ROWS = 30;

/** A figure over time. */
export interface IChartProps {
  readonly title: string;

  /** Seconds since the epoch, oldest first. */
  readonly times: readonly number[];

  /** As many figures; null where there is none. */
  readonly values: readonly (number | null)[];
  readonly format: (value: number) => string;

  /** The least that the axis reaches up to. */
  readonly least: number;
  readonly trans: TranslationBundle;
}

/** A line over time, with a table of the same figures for those who do not see it. */
export function Chart(props: IChartProps): JSX.Element {
  const { title, times, values, format, least, trans } = props;
  const lines = useMemo(() => [values], [values]);
  const known = values.filter(value => value !== null);
  const latest = known.at(-1);
  const rows = times
    .map((time, place) => ({ time, value: values[place] ?? null }))
    .slice(-ROWS);
  return (
    <figure className="jp-Runai-chart">
      <figcaption>
        {title}{' '}
        <span className="jp-Runai-summary">
          {latest === undefined
            ? trans.__('not measured')
            : trans.__(
                'now %1, highest %2',
                format(latest),
                format(Math.max(...known))
              )}
        </span>
      </figcaption>
      {known.length === 0 ? null : (
        <Plot
          times={times}
          lines={lines}
          looks={LOOKS}
          format={format}
          least={least}
        />
      )}
      <table className="jp-Runai-hidden">
        <caption>{title}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('Time')}</th>
            <th scope="col">{title}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ time, value }) => (
            <tr key={time}>
              <td>{formatDate(time)}</td>
              <td>{value === null ? '' : format(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}
