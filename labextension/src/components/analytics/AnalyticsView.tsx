import type { TranslationBundle } from '@jupyterlab/translation';
import { useCallback, useState } from 'react';
import type { JSX } from 'react';

import { sumOf } from '../../analytics/amounts';
import { askAnalytics } from '../../analytics/ask';
import type { IAnalytics } from '../../analytics/ask';
import type { IChoice } from '../../analytics/choice';
import { spanOf } from '../../analytics/period';
import type { ISpan } from '../../analytics/period';
import { formatDate } from '../../format/time';
import type { IEngineModel } from '../../tokens';
import type { IProblem } from '../../wire';
import { useAnswer } from '../details/useAnswer';
import { useChanges, useNow } from '../hooks';
import { Problem } from '../Problem';
import { AnalyticsToolbar } from './AnalyticsToolbar';
import { GroupTable } from './GroupTable';
import { IdleHolders } from './IdleHolders';
import { Notes } from './Notes';
import { NothingCounted } from './NothingCounted';
import { OverTime } from './OverTime';
import { Quotas } from './Quotas';
import { SharesOverTime } from './SharesOverTime';
import { Tiles } from './Tiles';
import { Waits } from './Waits';

/** How often the figures of a time that goes on are asked for anew, in seconds. */
const FRESH_S = 60;

/** What the page shows. */
export interface IAnalyticsViewProps {
  readonly model: IEngineModel;
  readonly choice: IChoice;
  readonly trans: TranslationBundle;

  /** Whether somebody can see it. */
  readonly isVisible: boolean;

  /** Show another time, or tell it apart by something else. */
  readonly choose: (choice: IChoice) => void;

  /** Show all about a workload. */
  readonly openDetails: (id: string) => void;

  /** Submit a workload through a dialog. */
  readonly submit: () => void;
}

/** Who used what, what waited, and what it cost. */
export function AnalyticsView(props: IAnalyticsViewProps): JSX.Element {
  const { model, choice, choose, trans, isVisible } = props;
  useChanges(model, isVisible);
  const now = useNow(isVisible);
  const [refreshed, setRefreshed] = useState(0);
  const span = spanOf(choice, now);
  // What is over stays as it was, unless somebody asks.
  const goesOn = span?.until === null;
  const moment = Math.max(
    refreshed,
    goesOn ? Math.floor(now / FRESH_S) * FRESH_S : 0
  );
  const { value, problem, isBusy } = useUsage(props, span, moment);
  return (
    <div className="jp-Runai-analytics">
      <div className="jp-Runai-header">
        <h2 className="jp-Runai-title">{trans.__('GPU Analytics')}</h2>
        {value === undefined ? null : (
          <span className="jp-Runai-summary">
            {trans.__(
              '%1 to %2',
              formatDate(value.groups.since),
              formatDate(value.groups.until)
            )}
          </span>
        )}
      </div>
      <AnalyticsToolbar
        choice={choice}
        span={span}
        now={now}
        requests={model.requests}
        trans={trans}
        choose={choose}
        refresh={() => {
          setRefreshed(Date.now() / 1000);
        }}
      />
      <Problem problem={span === null ? noSpan(trans) : problem} />
      {value === undefined && span !== null && problem === null ? (
        <p className="jp-Runai-empty" role="status">
          {trans.__('Adding up…')}
        </p>
      ) : null}
      {value === undefined || span === null ? null : (
        <div className="jp-Runai-analyticsBody" aria-busy={isBusy}>
          <Body {...props} value={value} now={now} />
        </div>
      )}
    </div>
  );
}

interface IShown {
  /** The last answer; undefined until there is one. */
  readonly value: IAnalytics | undefined;
  readonly problem: IProblem | null;

  /** Whether the answer is to another question than the last one. */
  readonly isBusy: boolean;
}

/** Ask anew with another choice or moment, and not while nobody looks. */
function useUsage(
  { model, choice, isVisible }: IAnalyticsViewProps,
  span: ISpan | null,
  moment: number
): IShown {
  const { by } = choice;
  const since = span?.since ?? null;
  const until = span?.until ?? null;
  const question = [by, since, until].join();
  const ask = useCallback(async () => {
    const asked = { since: since ?? 0, until };
    const answer = await askAnalytics(model.requests, by, asked, moment);
    return { answer, question };
  }, [model, by, since, until, moment, question]);
  const { value, problem } = useAnswer(
    isVisible && since !== null ? ask : null
  );
  return {
    value: value?.answer,
    problem,
    isBusy: problem === null && value?.question !== question
  };
}

interface IBodyProps extends IAnalyticsViewProps {
  readonly value: IAnalytics;
  readonly now: number;
}

function Body(props: IBodyProps): JSX.Element {
  const { model, value, now, trans, openDetails, submit } = props;
  const { groups, overTime, workloads, history } = value;
  if (overTime.rows.length === 0 && groups.rows.length === 0) {
    return (
      <NothingCounted
        isFirst={model.workloads.length === 0}
        submit={submit}
        trans={trans}
      />
    );
  }
  return (
    <>
      <Notes usage={groups} trans={trans} />
      <Tiles
        totals={sumOf(overTime.rows)}
        currency={groups.currency}
        trans={trans}
      />
      <OverTime usage={overTime} trans={trans} />
      <GroupTable usage={groups} trans={trans} />
      <Quotas queues={model.queues} usage={overTime} trans={trans} />
      <SharesOverTime history={history} trans={trans} />
      <div className="jp-Runai-pair">
        <Waits
          workloads={model.workloads}
          usage={overTime}
          history={history}
          now={now}
          trans={trans}
        />
        <IdleHolders
          model={model}
          usage={workloads}
          openDetails={openDetails}
          trans={trans}
        />
      </div>
    </>
  );
}

function noSpan(trans: TranslationBundle): IProblem {
  return {
    code: 'no_span',
    message: trans.__('This is no period.'),
    hint: trans.__('Its last day must not come before its first.')
  };
}
