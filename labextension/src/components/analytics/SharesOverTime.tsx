import type { TranslationBundle } from '@jupyterlab/translation';
import { useMemo } from 'react';
import type { JSX } from 'react';

import { sharesOf, topQueues } from '../../analytics/past';
import { formatAmount } from '../../format/amount';
import type { IQueueHistory } from '../../wire';
import { Plot } from '../charts/Plot';
import type { ILook } from '../charts/Plot';
import { Section } from '../Section';
import { FiguresTable } from './FiguresTable';

/** How many projects have a chart. */
const MOST_PROJECTS = 4;

/** The least that an axis reaches up to, in devices. */
const LEAST = 0.1;

const LOOKS: readonly ILook[] = [
  { colour: '--jp-brand-color1', fill: 25, isStepped: true },
  { colour: '--jp-ui-font-color1', fill: 0, isStepped: true },
  { colour: '--jp-warn-color1', fill: 0, isStepped: true }
];

/** What the charts show. */
export interface ISharesOverTimeProps {
  readonly history: IQueueHistory;
  readonly trans: TranslationBundle;
}

/** What the projects with most held, against their quota and their fair share at that time. */
export function SharesOverTime(
  props: ISharesOverTimeProps
): JSX.Element | null {
  const { history, trans } = props;
  const projects = topQueues(history, MOST_PROJECTS);
  if (projects.length === 0) {
    return null;
  }
  return (
    <Section
      title={trans.__('Quota and fair share over time')}
      summary={trans.__('in devices')}
    >
      <div className="jp-Runai-shareCharts">
        {projects.map(project => (
          <ProjectChart key={project} {...props} project={project} />
        ))}
      </div>
    </Section>
  );
}

interface IProjectChartProps extends ISharesOverTimeProps {
  readonly project: string;
}

function ProjectChart(props: IProjectChartProps): JSX.Element {
  const { history, project, trans } = props;
  const shares = useMemo(() => sharesOf(history, project), [history, project]);
  const drawn = useMemo(() => {
    const lines = [shares.held, shares.quota, shares.fairShare];
    return {
      times: [...shares.times, shares.end],
      lines: lines.map(values => [...values, values.at(-1) ?? null])
    };
  }, [shares]);
  const title = trans.__('%1: held against quota and fair share', project);
  return (
    <figure className="jp-Runai-chart">
      <figcaption>
        {title}
        <span className="jp-Runai-legend jp-mod-used">{trans.__('held')}</span>
        <span className="jp-Runai-legend jp-mod-quotaLine">
          {trans.__('quota')}
        </span>
        <span className="jp-Runai-legend jp-mod-fairShareLine">
          {trans.__('fair share')}
        </span>
      </figcaption>
      <Plot {...drawn} looks={LOOKS} format={formatAmount} least={LEAST} />
      <details className="jp-Runai-figures">
        <summary>{trans.__('Figures: %1', title)}</summary>
        <FiguresTable
          title={title}
          names={[trans.__('Held'), trans.__('Quota'), trans.__('Fair share')]}
          times={shares.times}
          lines={[shares.held, shares.quota, shares.fairShare]}
          trans={trans}
        />
      </details>
    </figure>
  );
}
