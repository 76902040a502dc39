import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { formatDevices } from '../format/share';
import type { IQueueStatus } from '../wire';
import { PanelSection } from './PanelSection';

/** What the section shows. */
export interface IQueuesProps {
  readonly queues: readonly IQueueStatus[];
  readonly trans: TranslationBundle;
}

/** Whether there is anything to say: not where there is only one that sets no bounds. */
export function hasBounds(queues: readonly IQueueStatus[]): boolean {
  return (
    queues.length > 1 ||
    queues.some(({ quota, limit }) => quota !== null || limit !== null)
  );
}

/** The queues with what they use and may use. */
export function Queues({ queues, trans }: IQueuesProps): JSX.Element {
  return (
    <PanelSection id="queues" title={trans.__('My queues')} trans={trans}>
      <ul className="jp-Runai-queues">
        {queues.map(queue => (
          <Queue key={queue.name} queue={queue} trans={trans} />
        ))}
      </ul>
    </PanelSection>
  );
}

interface IQueueProps {
  readonly queue: IQueueStatus;
  readonly trans: TranslationBundle;
}

function Queue({ queue, trans }: IQueueProps): JSX.Element {
  const { name, allocated, requested } = queue;
  return (
    <li className="jp-Runai-queue">
      <div className="jp-Runai-queueHead">
        <span className="jp-Runai-name">{name}</span>
        <span className="jp-Runai-number">
          {requested > 0
            ? trans.__(
                '%1 used, %2 asked for',
                formatDevices(allocated),
                formatDevices(requested)
              )
            : trans.__('%1 used', formatDevices(allocated))}
        </span>
      </div>
      <Bar queue={queue} trans={trans} />
      <Legend queue={queue} trans={trans} />
      <p className="jp-Runai-queueStory">{explanation(queue, trans)}</p>
    </li>
  );
}

/** What is used, to scale with quota, fair share and limit; what is over the quota is told apart. */
function Bar({ queue, trans }: IQueueProps): JSX.Element {
  const { name, quota, limit, allocated, fair_share: fairShare } = queue;
  const whole = Math.max(limit ?? 0, quota ?? 0, fairShare ?? 0, allocated);
  const width = (devices: number): string =>
    whole > 0 ? `${(100 * devices) / whole}%` : '0';
  const within = Math.min(allocated, quota ?? allocated);
  return (
    <div
      className="jp-Runai-bar"
      role="img"
      aria-label={trans.__(
        'Queue %1: %2 used, %3',
        name,
        formatDevices(allocated),
        description(queue, trans)
      )}
    >
      <span
        className="jp-Runai-segment jp-mod-mine"
        style={{ width: width(within) }}
      />
      <span
        className="jp-Runai-segment jp-mod-overQuota"
        style={{ width: width(allocated - within) }}
      />
      {quota === null ? null : (
        <span
          className="jp-Runai-mark jp-mod-quota"
          style={{ left: width(quota) }}
        />
      )}
      {fairShare === null ? null : (
        <span
          className="jp-Runai-mark jp-mod-fairShare"
          style={{ left: width(fairShare) }}
        />
      )}
    </div>
  );
}

/** The marks of the bar, in words. */
function Legend({ queue, trans }: IQueueProps): JSX.Element {
  const { fair_share: fairShare } = queue;
  return (
    <ul className="jp-Runai-queueMarks">
      <li>
        <span aria-hidden="true" className="jp-Runai-key jp-mod-quota" />
        {quotaWords(queue, trans)}
      </li>
      {fairShare === null ? null : (
        <li>
          <span aria-hidden="true" className="jp-Runai-key jp-mod-fairShare" />
          {trans.__('fair share %1', formatDevices(fairShare))}
        </li>
      )}
      <li>{limitWords(queue, trans)}</li>
    </ul>
  );
}

/** What its figures mean for whoever submits to it now. */
function explanation(
  { allocated, quota, limit, fair_share: fairShare }: IQueueStatus,
  trans: TranslationBundle
): string {
  if (limit !== null && allocated >= limit) {
    return trans.__('At its limit: more waits until some of it ends.');
  }
  if (quota !== null && allocated < quota) {
    return trans.__('%1 of its quota free.', formatDevices(quota - allocated));
  }
  if (quota === null) {
    return trans.__('Takes what is free.');
  }
  return fairShare !== null && allocated > fairShare
    ? trans.__(
        'Above its fair share: others may take %1 back.',
        formatDevices(allocated - Math.max(quota, fairShare))
      )
    : trans.__('Quota used up: more takes what others leave free.');
}

function quotaWords({ quota }: IQueueStatus, trans: TranslationBundle): string {
  return quota === null
    ? trans.__('no quota')
    : trans.__('quota %1', formatDevices(quota));
}

function limitWords({ limit }: IQueueStatus, trans: TranslationBundle): string {
  return limit === null
    ? trans.__('no limit')
    : trans.__('limit %1', formatDevices(limit));
}

function description(queue: IQueueStatus, trans: TranslationBundle): string {
  const { fair_share: fairShare } = queue;
  return [
    quotaWords(queue, trans),
    ...(fairShare === null
      ? []
      : [trans.__('fair share %1', formatDevices(fairShare))]),
    limitWords(queue, trans)
  ].join(' · ');
}
