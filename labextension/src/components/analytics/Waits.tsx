import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { groupsOf } from '../../analytics/amounts';
import { causesOf } from '../../analytics/causes';
import { pastCauses } from '../../analytics/past';
import { formatDate, formatElapsed } from '../../format/time';
import { waitingWords } from '../../format/words';
import type { IQueueHistory, IUsage, IWorkload } from '../../wire';
import { Section } from '../Section';
import { AmountTable } from './AmountTable';

/** What the section shows. */
export interface IWaitsProps {
  readonly workloads: readonly IWorkload[];

  /** By project. */
  readonly usage: IUsage;
  readonly history: IQueueHistory;

  /** The time in seconds. */
  readonly now: number;
  readonly trans: TranslationBundle;
}

/** How long work waited in each project and why, and why what waits now does. */
export function Waits(props: IWaitsProps): JSX.Element {
  const { workloads, usage, history, now, trans } = props;
  const waited = groupsOf(usage.rows)
    .filter(each => each.waited > 0 || each.preemptions > 0)
    .sort((one, other) => other.waited - one.waited);
  return (
    <Section title={trans.__('Waits')}>
      {waited.length === 0 ? (
        <p className="jp-Runai-hint">{trans.__('Nothing had to wait.')}</p>
      ) : (
        <AmountTable
          title={trans.__('How long work waited')}
          columns={[
            { title: trans.__('Project'), cell: ({ name }) => name },
            {
              title: trans.__('Waited'),
              cell: each => formatElapsed(each.waited)
            },
            {
              title: trans.__('Preempted'),
              cell: ({ preemptions }) => String(preemptions)
            }
          ]}
          rows={waited}
          id={({ group }) => group}
        />
      )}
      <PastCauses history={history} trans={trans} />
      <Causes workloads={workloads} now={now} trans={trans} />
    </Section>
  );
}

function PastCauses({
  history,
  trans
}: Pick<IWaitsProps, 'history' | 'trans'>): JSX.Element | null {
  const title = trans.__('Why work waited');
  const causes = pastCauses(history);
  const first = history.rows[0]?.at;
  if (causes.length === 0 || first === undefined) {
    return null;
  }
  return (
    <>
      <h4>{title}</h4>
      <AmountTable
        title={title}
        columns={[
          { title: trans.__('Project'), cell: ({ project }) => project },
          {
            title: trans.__('Cause'),
            kind: 'text',
            cell: ({ code }) => waitingWords(code, trans)
          },
          {
            title: trans.__('Waited'),
            cell: ({ waited }) => formatElapsed(waited)
          }
        ]}
        rows={causes}
        id={({ project, code }) => `${project} ${code}`}
      />
      <p className="jp-Runai-hint">
        {trans.__(
          'Causes are known from %1 on, while the engine ran.',
          formatDate(Math.max(first, history.since))
        )}
      </p>
    </>
  );
}

function Causes(props: Omit<IWaitsProps, 'usage' | 'history'>): JSX.Element {
  const { workloads, now, trans } = props;
  const title = trans.__('Why work waits now');
  const causes = causesOf(workloads);
  return (
    <>
      <h4>{title}</h4>
      {causes.length === 0 ? (
        <p className="jp-Runai-hint">{trans.__('Nothing waits now.')}</p>
      ) : (
        <AmountTable
          title={title}
          columns={[
            {
              title: trans.__('Cause'),
              cell: ({ code }) =>
                code === null
                  ? trans.__('not looked at yet')
                  : waitingWords(code, trans)
            },
            {
              title: trans.__('Workloads'),
              cell: cause => String(cause.workloads)
            },
            {
              title: trans.__('Longest'),
              cell: ({ since }) => formatElapsed(now - since)
            }
          ]}
          rows={causes}
          id={({ code }) => code ?? ''}
        />
      )}
    </>
  );
}
