import type { TranslationBundle } from '@jupyterlab/translation';
import { useMemo } from 'react';
import type { JSX } from 'react';

import { sharesOf, topQueues } from '../../analytics/past';
import type { IShares } from '../../analytics/past';
import { formatAmount } from '../../format/amount';
import { formatDate } from '../../format/time';
import type { IQueueHistory } from '../../wire';
import { Plot } from '../charts/Plot';
import type { ILook } from '../charts/Plot';
import { Section } from '../Section';

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
        <SharesTable title={title} shares={shares} trans={trans} />
      </details>
    </figure>
  );
}

interface ISharesTableProps {
  readonly title: string;
  readonly shares: IShares;
  readonly trans: TranslationBundle;
}

/** The figures of a chart, the newest first; a dash for what is not known or unlimited. */
function SharesTable({ title, shares, trans }: ISharesTableProps): JSX.Element {
  const lines = [shares.held, shares.quota, shares.fairShare];
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
            <th scope="col">{trans.__('Held')}</th>
            <th scope="col">{trans.__('Quota')}</th>
            <th scope="col">{trans.__('Fair share')}</th>
          </tr>
        </thead>
        <tbody>
          {shares.times
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
