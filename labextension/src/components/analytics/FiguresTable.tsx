import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { formatAmount } from '../../format/amount';
import { formatDate } from '../../format/time';

/** A chart's figures: what each line is called, and its values at these times. */
export interface IFiguresTableProps {
  readonly title: string;
  readonly names: readonly string[];
  readonly times: readonly number[];
  readonly lines: readonly (readonly (number | null)[])[];
  readonly trans: TranslationBundle;
}

/** The figures of a chart, the newest first; a dash for what is not known or unlimited. */
export function FiguresTable(props: IFiguresTableProps): JSX.Element {
  const { title, names, times, lines, trans } = props;
  return (
    <div
      className="jp-Runai-wide jp-mod-low"
      role="region"
      aria-label={title}
      tabIndex={0}
    >
      <table className="jp-Runai-amounts">
        <thead>
          <tr>
            <th scope="col">{trans.__('From')}</th>
            {names.map(name => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {times
            .map((time, place) => (
              <tr key={time}>
                <th scope="row">{formatDate(time)}</th>
                {lines.map((values, line) => (
                  <td key={line}>{figure(values[place] ?? null)}</td>
                ))}
              </tr>
            ))
            .reverse()}
        </tbody>
      </table>
    </div>
  );
}

function figure(value: number | null): string {
  return value === null ? '–' : formatAmount(value);
}
