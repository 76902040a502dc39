import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { groupsOf } from '../../analytics/amounts';
import { causesOf } from '../../analytics/causes';
import { formatElapsed } from '../../format/time';
import { waitingWords } from '../../format/words';
import type { IUsage, IWorkload } from '../../wire';
import { Section } from '../Section';
import { AmountTable } from './AmountTable';

/** What the section shows. */
export interface IWaitsProps {
  readonly workloads: readonly IWorkload[];

  /** By project. */
  readonly usage: IUsage;

  /** The time in seconds. */
  readonly now: number;
  readonly trans: TranslationBundle;
}

/** How long work waited in each project, and why what waits now does. */
export function Waits(props: IWaitsProps): JSX.Element {
  const { workloads, usage, now, trans } = props;
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
      <Causes workloads={workloads} now={now} trans={trans} />
      <p className="jp-Runai-hint">
        {trans.__(
          'Of the past it is kept how long work waited, not why: the causes are those of what waits now.'
        )}
      </p>
    </Section>
  );
}

function Causes(props: Omit<IWaitsProps, 'usage'>): JSX.Element {
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
