import type { TranslationBundle } from '@jupyterlab/translation';
import { useMemo } from 'react';
import type { JSX } from 'react';

import { seriesOf, topProjects } from '../../analytics/series';
import { formatAmount } from '../../format/amount';
import type { IUsage } from '../../wire';
import { Plot } from '../charts/Plot';
import type { ILook } from '../charts/Plot';
import { Section } from '../Section';
import { FiguresTable } from './FiguresTable';

/** How many projects have a chart of their own. */
const MOST_PROJECTS = 4;

/** The least that an axis reaches up to, in devices. */
const LEAST = 0.1;

const LOOKS: readonly ILook[] = [
  { colour: '--jp-ui-font-color2', fill: 12, isStepped: true },
  { colour: '--jp-brand-color1', fill: 40, isStepped: true }
];

/** What the charts show. */
export interface IOverTimeProps {
  /** By project, step by step. */
  readonly usage: IUsage;
  readonly trans: TranslationBundle;
}

/** What was allocated against what of it was used: of all, and of the projects with most. */
export function OverTime({ usage, trans }: IOverTimeProps): JSX.Element {
  const projects = topProjects(usage, MOST_PROJECTS + 1);
  const shown = projects.length > 1 ? projects.slice(0, MOST_PROJECTS) : [];
  return (
    <Section
      title={trans.__('Allocated and used')}
      summary={averages(usage, trans)}
    >
      <div className="jp-Runai-shareCharts">
        <ShareChart
          usage={usage}
          title={
            shown.length === 0
              ? trans.__('All devices')
              : trans.__('All projects')
          }
          trans={trans}
        />
        {shown.map(project => (
          <ShareChart
            key={project}
            usage={usage}
            project={project}
            title={trans.__('Project %1', project)}
            trans={trans}
          />
        ))}
      </div>
      {projects.length > MOST_PROJECTS ? (
        <p className="jp-Runai-hint">
          {trans.__(
            'The %1 projects with most; the others are among all.',
            String(MOST_PROJECTS)
          )}
        </p>
      ) : null}
    </Section>
  );
}

interface IShareChartProps extends IOverTimeProps {
  readonly title: string;
  readonly project?: string;
}

function ShareChart(props: IShareChartProps): JSX.Element {
  const { usage, project, title, trans } = props;
  const series = useMemo(() => seriesOf(usage, project), [usage, project]);
  const { times, allocated, used, end } = series;
  const drawn = useMemo(
    () => ({
      times: [...times, end],
      lines: [allocated, used].map(values => [...values, values.at(-1) ?? 0])
    }),
    [times, allocated, used, end]
  );
  return (
    <figure className="jp-Runai-chart">
      <figcaption>
        {title}
        <span className="jp-Runai-legend jp-mod-allocated">
          {trans.__('allocated, at most %1', highest(allocated))}
        </span>
        <span className="jp-Runai-legend jp-mod-used">
          {trans.__('used, at most %1', highest(used))}
        </span>
      </figcaption>
      <Plot {...drawn} looks={LOOKS} format={formatAmount} least={LEAST} />
      <details className="jp-Runai-figures">
        <summary>{trans.__('Figures: %1', title)}</summary>
        <FiguresTable
          title={title}
          names={[trans.__('Allocated'), trans.__('Used')]}
          times={times}
          lines={[allocated, used]}
          trans={trans}
        />
      </details>
    </figure>
  );
}

function averages({ step }: IUsage, trans: TranslationBundle): string {
  switch (step) {
    case 'minute':
      return trans.__('devices, on average over each minute');
    case 'hour':
      return trans.__('devices, on average over each hour');
    default:
      return trans.__('devices, on average over each day (UTC)');
  }
}

function highest(values: readonly number[]): string {
  return formatAmount(Math.max(0, ...values));
}
