import { useEffect, useRef } from 'react';
import type { JSX } from 'react';
import UPlot from 'uplot';

import { formatClock, formatDay } from '../../format/time';

/** How high a plot is, in pixels. */
const HEIGHT = 150;

/** How far apart the marks of time may be, in seconds. */
const STEPS = [
  ...[1, 2, 5, 10, 30],
  ...[1, 2, 5, 10, 30].map(minutes => minutes * 60),
  ...[1, 2, 6, 24, 48, 72, 168, 336, 720].map(hours => hours * 3600)
];

/** How much room a mark of time needs, and one of a day, in pixels. */
const MARK_WIDTH = 110;
const DAY_WIDTH = 75;

const DAY_S = 86_400;

/** How a line is drawn. */
export interface ILook {
  /** The theme's name for its colour. */
  readonly colour: string;

  /** How much of it is below the line, in percent. */
  readonly fill: number;

  /** Whether a figure holds until the next. */
  readonly isStepped?: boolean;
}

/** Figures over time. */
export interface IPlotProps {
  /** Seconds since the epoch, oldest first. */
  readonly times: readonly number[];

  /** As many figures for each line; null where there is none. */
  readonly lines: readonly (readonly (number | null)[])[];

  /** Of each line; the same array until the lines are others. */
  readonly looks: readonly ILook[];
  readonly format: (value: number) => string;

  /** The least that the axis reaches up to. */
  readonly least: number;
}

/** Lines over time, drawn anew with another width, theme or other figures; a table beside it is for those who do not see them. */
export function Plot(props: IPlotProps): JSX.Element {
  const { times, lines, looks, format, least } = props;
  const node = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  useEffect(() => {
    if (node.current === null) {
      return;
    }
    const made = new UPlot(
      options(node.current, looks, format, least),
      [[], ...looks.map(() => [])],
      node.current
    );
    plot.current = made;
    const width = new ResizeObserver(([entry]) => {
      const found = Math.floor(entry?.contentRect.width ?? 0);
      if (found > 0 && found !== made.width) {
        made.setSize({ width: found, height: HEIGHT });
      }
    });
    width.observe(node.current);
    const theme = new MutationObserver(() => {
      made.redraw();
    });
    theme.observe(document.body, { attributeFilter: ['data-jp-theme-name'] });
    return () => {
      width.disconnect();
      theme.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [looks, format, least]);
  useEffect(() => {
    plot.current?.setData([[...times], ...lines.map(values => [...values])]);
  }, [times, lines, looks, format, least]);
  return <div ref={node} aria-hidden="true" />;
}

function options(
  node: HTMLElement,
  looks: readonly ILook[],
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
        size: 30,
        space: (_, __, first, last) =>
          last - first > 3 * DAY_S ? DAY_WIDTH : MARK_WIDTH,
        values: (_, marks, __, ___, step) =>
          marks.map(mark =>
            step < DAY_S ? formatClock(mark * 1000) : formatDay(mark)
          )
      },
      { ...axis, size: 64, values: (_, marks) => marks.map(format) }
    ],
    series: [{}, ...looks.map(look => series(look, colour(look.colour)))]
  };
}

function series(
  { fill, isStepped = false }: ILook,
  colour: () => string
): UPlot.Series {
  return {
    stroke: colour,
    fill: () => `color-mix(in srgb, ${colour()} ${fill}%, transparent)`,
    width: 1.5,
    points: { show: false },
    ...(isStepped &&
      UPlot.paths.stepped && { paths: UPlot.paths.stepped({ align: 1 }) })
  };
}
