import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { formatDevices } from '../format/share';
import type { IQueueStatus } from '../wire';
import { Section } from './Section';

/** What the section shows. */
export interface IQueuesProps {
  readonly queues: readonly IQueueStatus[];
  readonly trans: TranslationBundle;
}

/** The queues with what they use and may use; nothing where there is only one that sets no bounds. */
export function Queues({ queues, trans }: IQueuesProps): JSX.Element | null {
  const isTrivial = queues.every(
    queue => queue.quota === null && queue.limit === null
  );
  if (queues.length <= 1 && isTrivial) {
    return null;
  }
  return (
    <Section title={trans.__('My queues')}>
      <ul className="jp-Runai-queues">
        {queues.map(queue => (
          <Queue key={queue.name} queue={queue} trans={trans} />
        ))}
      </ul>
    </Section>
  );
}

interface IQueueProps {
  readonly queue: IQueueStatus;
  readonly trans: TranslationBundle;
}

function Queue({ queue, trans }: IQueueProps): JSX.Element {
  const { name, quota, limit, allocated, fair_share: fairShare } = queue;
  const whole = Math.max(limit ?? 0, quota ?? 0, fairShare ?? 0, allocated);
  const place = (devices: number): string =>
    whole > 0 ? `${(100 * devices) / whole}%` : '0';
  const marks = description(queue, trans);
  return (
    <li className="jp-Runai-queue">
      <div className="jp-Runai-queueHead">
        <span className="jp-Runai-name">{name}</span>
        <span className="jp-Runai-number">
          {trans.__('%1 used', formatDevices(allocated))}
        </span>
      </div>
      <div
        className="jp-Runai-bar"
        role="img"
        aria-label={trans.__(
          'Queue %1: %2 used, %3',
          name,
          formatDevices(allocated),
          marks
        )}
      >
        <span
          className="jp-Runai-segment jp-mod-mine"
          style={{ width: place(allocated) }}
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
      <div className="jp-Runai-queueMarks">{marks}</div>
    </li>
  );
}

function description(queue: IQueueStatus, trans: TranslationBundle): string {
  const parts = [
    queue.quota === null
      ? trans.__('no quota')
      : trans.__('quota %1', formatDevices(queue.quota)),
    queue.fair_share === null
      ? null
      : trans.__('fair share %1', formatDevices(queue.fair_share)),
    queue.limit === null
      ? trans.__('no limit')
      : trans.__('limit %1', formatDevices(queue.limit))
  ];
  return parts.filter(part => part !== null).join(' · ');
}
