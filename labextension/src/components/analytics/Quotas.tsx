import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { quotasOf } from '../../analytics/quotas';
import type { IProjectQuota } from '../../analytics/quotas';
import { formatAmount, formatPart } from '../../format/amount';
import { formatDevices } from '../../format/share';
import { formatDate } from '../../format/time';
import type { IQueueStatus, IUsage } from '../../wire';
import { Section } from '../Section';
import { AmountTable } from './AmountTable';
import type { IAmountColumn } from './AmountTable';

/** What the section shows. */
export interface IQuotasProps {
  readonly queues: readonly IQueueStatus[];

  /** By project, step by step. */
  readonly usage: IUsage;
  readonly trans: TranslationBundle;
}

/** What each project may have, against what it had. */
export function Quotas({ queues, usage, trans }: IQuotasProps): JSX.Element {
  const title = trans.__('Quota, fair share and use');
  const rows = quotasOf(queues, usage);
  const widest = Math.max(0, ...rows.flatMap(ends));
  const first = Math.max(usage.since, usage.rows[0]?.at ?? usage.since);
  return (
    <Section title={title} summary={trans.__('in devices')}>
      <div className="jp-Runai-useKey" aria-hidden="true">
        <span className="jp-Runai-legend jp-mod-used">{trans.__('used')}</span>
        <span className="jp-Runai-legend jp-mod-allocated">
          {trans.__('held')}
        </span>
        <span className="jp-Runai-legend jp-mod-quota">
          {trans.__('quota')}
        </span>
        <span className="jp-Runai-legend jp-mod-fairShare">
          {trans.__('fair share')}
        </span>
      </div>
      <AmountTable
        title={title}
        columns={columns(widest, trans)}
        rows={rows}
        id={({ project }) => project}
      />
      <p className="jp-Runai-hint">
        {trans.__(
          'Quota and fair share are those of now; averages are from %1 on.',
          formatDate(first)
        )}
      </p>
    </Section>
  );
}

function columns(
  widest: number,
  trans: TranslationBundle
): IAmountColumn<IProjectQuota>[] {
  return [
    { title: trans.__('Project'), cell: ({ project }) => project },
    {
      title: trans.__('Bar'),
      kind: 'picture',
      cell: row => <QuotaBar row={row} widest={widest} />
    },
    {
      title: trans.__('Quota'),
      cell: ({ queue }) => devices(queue, queue?.quota, trans)
    },
    {
      title: trans.__('Fair share'),
      cell: ({ queue }) => devices(queue, queue?.fair_share, trans)
    },
    {
      title: trans.__('Held now'),
      cell: ({ queue }) => devices(queue, queue?.allocated, trans)
    },
    {
      title: trans.__('Held on average'),
      cell: ({ allocated }) => formatAmount(allocated)
    },
    {
      title: trans.__('Used on average'),
      cell: ({ used }) => formatAmount(used)
    },
    {
      title: trans.__('Over quota'),
      cell: ({ overQuota }) => formatPart(overQuota)
    }
  ];
}

interface IQuotaBarProps {
  readonly row: IProjectQuota;

  /** What the whole width stands for, in devices. */
  readonly widest: number;
}

function QuotaBar({ row, widest }: IQuotaBarProps): JSX.Element {
  const place = (amount: number): string =>
    widest > 0 ? `${(100 * amount) / widest}%` : '0';
  const { queue, allocated, used } = row;
  const quota = queue?.quota ?? null;
  const fairShare = queue?.fair_share ?? null;
  return (
    <div className="jp-Runai-useBar">
      <span className="jp-mod-used" style={{ width: place(used) }} />
      <span
        className="jp-mod-allocated"
        style={{ width: place(allocated - used) }}
      />
      {quota === null ? null : (
        <span
          className="jp-Runai-mark jp-mod-quota"
          style={{ left: place(quota) }}
        />
      )}
      {fairShare === null ? null : (
        <span
          className="jp-Runai-mark jp-mod-fairShare"
          style={{ left: place(fairShare) }}
        />
      )}
    </div>
  );
}

function ends({ queue, allocated }: IProjectQuota): number[] {
  return [queue?.quota ?? 0, queue?.fair_share ?? 0, allocated];
}

/** A figure of a project; of one that is no more a dash. */
function devices(
  queue: IQueueStatus | null,
  value: number | null | undefined,
  trans: TranslationBundle
): string {
  if (queue === null || value === undefined) {
    return '–';
  }
  return value === null ? trans.__('unlimited') : formatDevices(value);
}
