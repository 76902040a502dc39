import type { TranslationBundle } from '@jupyterlab/translation';
import { useId, useState } from 'react';
import type { JSX, KeyboardEvent } from 'react';

import { hasEnded } from '../../model/workloads';
import type { IEngineModel, ILogFollower } from '../../tokens';
import type { ISpecChange, IWorkload } from '../../wire';
import type { WorkloadActions } from '../actions';
import { useChanges, useNow } from '../hooks';
import { Indicator } from '../Indicator';
import { NoEngine } from '../NoEngine';
import type { INoEngineProps } from '../NoEngine';
import { Notice } from '../Notice';
import { WorkloadHead } from '../WorkloadHead';
import { LogPage } from './LogPage';
import { Overview } from './Overview';
import { Specification } from './Specification';
import { Usage } from './Usage';

/** What the view shows. */
export interface IDetailsViewProps {
  readonly model: IEngineModel;

  /** The id of the workload. */
  readonly workload: string;

  /** Its log, followed. */
  readonly follower: ILogFollower;
  readonly actions: WorkloadActions;
  readonly trans: TranslationBundle;

  /** Whether somebody can see it. */
  readonly isVisible: boolean;

  /** Submit another like it, with a change. */
  readonly copy: (id: string, change?: ISpecChange) => void;

  /** The page that somebody has turned to; null for the one that fits. */
  readonly page: Page | null;
  readonly turnTo: (page: Page) => void;
}

/** A page of the details. */
export type Page = 'overview' | 'log' | 'usage' | 'specification';

/** All about a workload; what was last known of one that is gone stays. */
export function DetailsView(props: IDetailsViewProps): JSX.Element {
  const { model, follower, trans, isVisible } = props;
  useChanges(model, isVisible);
  useChanges(follower, isVisible);
  const found = model.workload(props.workload);
  const [known, setKnown] = useState(found);
  if (found !== undefined && found !== known) {
    setKnown(found);
  }
  const workload = found ?? known;
  const isStale = model.connection.phase !== 'live' || found === undefined;
  const clock = useNow(
    isVisible && !isStale && workload !== undefined && !hasEnded(workload)
  );
  const { heard } = model.connection;
  const now = isStale && heard !== null ? heard / 1000 : clock;
  return (
    <div className={`jp-Runai-details${isStale ? ' jp-mod-stale' : ''}`}>
      {found === undefined ? (
        <p className="jp-Runai-empty" role="status">
          {missing(model, trans)}
        </p>
      ) : null}
      {workload === undefined ? null : (
        <>
          <Lost connection={model.connection} trans={trans} />
          <Known {...props} known={workload} now={now} />
        </>
      )}
    </div>
  );
}

/** Since when what is shown is old, and why. */
function Lost(props: INoEngineProps): JSX.Element | null {
  return props.connection.phase === 'live' ? null : (
    <>
      <div className="jp-Runai-header">
        <Indicator {...props} />
      </div>
      <NoEngine {...props} />
    </>
  );
}

interface IKnownProps extends IDetailsViewProps {
  readonly known: IWorkload;
  readonly now: number;
}

function Known(props: IKnownProps): JSX.Element {
  const { known, actions, trans, now, copy, turnTo } = props;
  // Of what has run people want the log, of what waits the reason.
  const [fitting] = useState<Page>(known.started === null ? 'overview' : 'log');
  const page = props.page ?? fitting;
  const id = useId();
  return (
    <>
      <WorkloadHead workload={known} actions={actions} trans={trans} now={now}>
        <button
          type="button"
          className="jp-Runai-action"
          onClick={() => {
            copy(known.id);
          }}
        >
          {trans.__('Make a copy…')}
        </button>
      </WorkloadHead>
      <Notice workload={known} actions={actions} trans={trans} />
      <Tabs id={id} page={page} setPage={turnTo} trans={trans} />
      <div
        id={`${id}-page`}
        role="tabpanel"
        aria-labelledby={`${id}-${page}`}
        className={`jp-Runai-page jp-mod-${page}`}
        tabIndex={page === 'log' ? -1 : 0}
      >
        <PageBody {...props} page={page} />
      </div>
    </>
  );
}

function PageBody(
  props: Omit<IKnownProps, 'page'> & { readonly page: Page }
): JSX.Element {
  const { model, known, follower, trans, isVisible, now, copy, page } = props;
  const common = { model, workload: known, trans };
  switch (page) {
    case 'overview':
      return <Overview {...common} now={now} copy={copy} />;
    case 'log':
      return <LogPage {...common} follower={follower} />;
    case 'usage':
      return <Usage {...common} now={now} isVisible={isVisible} />;
    case 'specification':
      return <Specification {...common} />;
  }
}

interface ITabsProps {
  readonly id: string;
  readonly page: Page;
  readonly setPage: (page: Page) => void;
  readonly trans: TranslationBundle;
}

function Tabs({ id, page, setPage, trans }: ITabsProps): JSX.Element {
  const pages: readonly (readonly [Page, string])[] = [
    ['overview', trans.__('Overview')],
    ['log', trans.__('Log')],
    ['usage', trans.__('Use')],
    ['specification', trans.__('Specification')]
  ];
  const onKeyDown = (event: KeyboardEvent<HTMLElement>): void => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key] ?? 0;
    const at = pages.findIndex(([each]) => each === page);
    const next = pages[(at + by + pages.length) % pages.length];
    if (by !== 0 && next !== undefined) {
      event.preventDefault();
      setPage(next[0]);
      document.getElementById(`${id}-${next[0]}`)?.focus();
    }
  };
  return (
    <div
      role="tablist"
      aria-label={trans.__('Details')}
      className="jp-Runai-tabs"
      onKeyDown={onKeyDown}
    >
      {pages.map(([each, title]) => (
        <button
          key={each}
          id={`${id}-${each}`}
          type="button"
          role="tab"
          aria-selected={each === page}
          aria-controls={`${id}-page`}
          tabIndex={each === page ? 0 : -1}
          onClick={() => {
            setPage(each);
          }}
        >
          {title}
        </button>
      ))}
    </div>
  );
}

/** Why there is nothing to say about the workload. */
function missing(model: IEngineModel, trans: TranslationBundle): string {
  if (model.info !== null) {
    return trans.__('This workload is gone.');
  }
  return (
    model.connection.problem?.message ?? trans.__('The engine is starting…')
  );
}
