import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { GROUPS, PERIODS } from '../../analytics/choice';
import type { Group, IChoice, Period } from '../../analytics/choice';
import type { ISpan } from '../../analytics/period';
import { formatDay } from '../../format/time';
import type { IRequests } from '../../tokens';

/** What the toolbar shows and does. */
export interface IAnalyticsToolbarProps {
  readonly choice: IChoice;

  /** The time that was chosen; null where it is none. */
  readonly span: ISpan | null;

  /** The time in seconds. */
  readonly now: number;
  readonly requests: Pick<IRequests, 'reportUrl'>;
  readonly trans: TranslationBundle;

  readonly choose: (choice: IChoice) => void;
  readonly refresh: () => void;
}

/** Which time, told apart by what, and ways to take it along. */
export function AnalyticsToolbar(props: IAnalyticsToolbarProps): JSX.Element {
  const { choice, now, trans, choose, refresh } = props;
  return (
    <div
      className="jp-Runai-tableTools"
      role="group"
      aria-label={trans.__('What is shown')}
    >
      <label className="jp-Runai-choice">
        {trans.__('Period')}{' '}
        <select
          value={choice.period}
          onChange={({ currentTarget }) => {
            choose(withPeriod(choice, currentTarget.value as Period, now));
          }}
        >
          {PERIODS.map(period => (
            <option key={period} value={period}>
              {periodWord(period, trans)}
            </option>
          ))}
        </select>
      </label>
      {choice.period === 'custom' ? <Days {...props} /> : null}
      <label className="jp-Runai-choice">
        {trans.__('Show by')}{' '}
        <select
          value={choice.by}
          onChange={({ currentTarget }) => {
            choose({ ...choice, by: currentTarget.value as Group });
          }}
        >
          {GROUPS.map(group => (
            <option key={group} value={group}>
              {groupWord(group, trans)}
            </option>
          ))}
        </select>
      </label>
      <button type="button" className="jp-Runai-action" onClick={refresh}>
        {trans.__('Refresh')}
      </button>
      <span className="jp-Runai-spacer" />
      <Downloads {...props} />
    </div>
  );
}

function Days(props: IAnalyticsToolbarProps): JSX.Element {
  const { choice, span, now, trans, choose } = props;
  const day = (name: 'from' | 'to', title: string): JSX.Element => (
    <label className="jp-Runai-choice">
      {title}{' '}
      <input
        type="date"
        value={choice[name]}
        max={formatDay(now)}
        aria-invalid={span === null}
        onChange={({ currentTarget }) => {
          choose({ ...choice, [name]: currentTarget.value });
        }}
      />
    </label>
  );
  return (
    <>
      {day('from', trans.__('From'))}
      {day('to', trans.__('To'))}
    </>
  );
}

function Downloads(props: IAnalyticsToolbarProps): JSX.Element | null {
  const { choice, span, requests, trans } = props;
  if (span === null) {
    return null;
  }
  return (
    <>
      <a
        className="jp-Runai-action"
        href={requests.reportUrl(choice.by, span, 'csv')}
        download
      >
        {trans.__('Download CSV')}
      </a>
      <a
        className="jp-Runai-action"
        href={requests.reportUrl(choice.by, span, 'html')}
        title={trans.__('A page that needs nothing else, to mail or to keep')}
        download
      >
        {trans.__('Save HTML report…')}
      </a>
    </>
  );
}

/** A custom period begins as the days that were shown before. */
function withPeriod(choice: IChoice, period: Period, now: number): IChoice {
  const today = formatDay(now);
  return {
    ...choice,
    period,
    ...(period === 'custom' && {
      from: choice.from || today,
      to: choice.to || today
    })
  };
}

function periodWord(period: Period, trans: TranslationBundle): string {
  switch (period) {
    case 'today':
      return trans.__('Today');
    case 'week':
      return trans.__('7 days');
    case 'month':
      return trans.__('30 days');
    case 'custom':
      return trans.__('Custom…');
  }
}

function groupWord(group: Group, trans: TranslationBundle): string {
  switch (group) {
    case 'project':
      return trans.__('Project');
    case 'user':
      return trans.__('User');
    case 'workload':
      return trans.__('Workload');
    case 'device':
      return trans.__('Device');
  }
}
