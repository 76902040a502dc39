import type { TranslationBundle } from '@jupyterlab/translation';
import { useEffect, useRef } from 'react';
import type { JSX } from 'react';
import UPlot from 'uplot';

import { formatClock, formatDate } from '../../format/time';

/** How high a chart is, in pixels. */
const HEIGHT = 150;

/** How far apart the marks of time may be, in seconds. */
const STEPS = [
  ...[1, 2, 5, 10, 30],
  ...[1, 2, 5, 10, 30].map(minutes => minutes * 60),
  ...[1, 2, 6, 24, 48, 168, 720].map(hours => hours * 3600)
];

/** How much room a mark of time needs, in pixels. */
const MARK_WIDTH = 110;

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
  const { title, times, values, format, trans } = props;
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
      {known.length === 0 ? null : <Plot {...props} />}
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

function Plot(props: IChartProps): JSX.Element {
  const { times, values, format, least } = props;
  const node = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  useEffect(() => {
    if (node.current === null) {
      return;
    }
    const made = new UPlot(
      options(node.current, format, least),
      [[], []],
      node.current
    );
    plot.current = made;
    const observer = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0);
      if (width > 0 && width !== made.width) {
        made.setSize({ width, height: HEIGHT });
      }
    });
    observer.observe(node.current);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [format, least]);
  useEffect(() => {
    plot.current?.setData([[...times], [...values]]);
  }, [times, values, format, least]);
  return <div ref={node} aria-hidden="true" />;
}

function options(
  node: HTMLElement,
  format: (value: number) => string,
  least: number
): UPlot.Options {
  const style = getComputedStyle(node);
  // Asked whenever it is drawn: the theme may have changed.
  const colour = (name: string) => (): string =>
    style.getPropertyValue(name).trim();
  const axis: UPlot.Axis = {
    stroke: colour('--jp-ui-font-color2'),
    grid: { stroke: colour('--jp-border-color2'), width: 1 },
    ticks: { show: false },
    font: `11px ${style.fontFamily}`
  };
  return {
    width: Math.max(200, node.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      y: { range: (_, __, most) => [0, Math.max(most, least) * 1.05] }
    },
    axes: [
      {
        ...axis,
        incrs: STEPS,
        space: MARK_WIDTH,
        values: (_, marks, __, ___, step) =>
          marks.map(mark =>
            step < 86_400 ? formatClock(mark * 1000) : formatDate(mark)
          )
      },
      { ...axis, size: 64, values: (_, marks) => marks.map(format) }
    ],
    series: [
      {},
      {
        stroke: colour('--jp-brand-color1'),
        fill: () =>
          `color-mix(in srgb, ${colour('--jp-brand-color1')()} 15%, transparent)`,
        width: 1.5,
        points: { show: false }
      }
    ]
  };
}
