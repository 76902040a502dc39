import type { TranslationBundle } from '@jupyterlab/translation';
import { useState } from 'react';
import type { JSX } from 'react';

import { hasEnded, inOrder, isSuspended, isWaiting } from '../model/workloads';
import type { IEngineModel } from '../tokens';
import type { IWorkload } from '../wire';
import type { IActions } from './actions';
import { FirstSteps } from './FirstSteps';
import { PanelSection } from './PanelSection';
import { WorkloadRow } from './WorkloadRow';

/** How many ended workloads are shown unless all are asked for. */
const FEW = 10;

/** How many workloads are shown at most; the table has them all. */
const MOST = 100;

/** What the section shows. */
export interface IWorkloadsProps {
  readonly model: IEngineModel;
  readonly actions: IActions;
  readonly trans: TranslationBundle;

  /** The time in seconds. */
  readonly now: number;
}

/** The user's own workloads, live ones first. */
export function Workloads(props: IWorkloadsProps): JSX.Element {
  const { model, actions, trans, now } = props;
  const [showsAll, setShowsAll] = useState(false);
  const mine = inOrder(
    model.workloads.filter(workload => model.isMine(workload))
  );
  const title = trans.__('My workloads');
  if (mine.length === 0) {
    return (
      <PanelSection id="workloads" title={title} trans={trans}>
        <FirstSteps actions={actions} trans={trans} />
        <Ways actions={actions} trans={trans} />
      </PanelSection>
    );
  }
  const live = mine.filter(workload => !hasEnded(workload));
  const shown = mine.slice(
    0,
    showsAll ? MOST : Math.min(MOST, live.length + FEW)
  );
  return (
    <PanelSection
      id="workloads"
      title={title}
      summary={summary(live, trans)}
      trans={trans}
    >
      <ul className="jp-Runai-workloads" aria-label={title}>
        {shown.map(workload => (
          <WorkloadRow
            key={workload.id}
            workload={workload}
            now={hasEnded(workload) ? 0 : now}
            actions={actions}
            trans={trans}
          />
        ))}
      </ul>
      <More
        mine={mine.length}
        ended={mine.length - live.length}
        showsAll={showsAll}
        setShowsAll={setShowsAll}
        trans={trans}
      />
      <Ways actions={actions} trans={trans} />
    </PanelSection>
  );
}

/** To a new workload, and to all there are. */
function Ways(props: Pick<IWorkloadsProps, 'actions' | 'trans'>): JSX.Element {
  const { actions, trans } = props;
  return (
    <div className="jp-Runai-ways">
      <button type="button" className="jp-Runai-link" onClick={actions.submit}>
        <span aria-hidden="true">+</span> {trans.__('New workload')}
      </button>
      <button
        type="button"
        className="jp-Runai-link"
        onClick={actions.openTable}
      >
        {trans.__('All workloads')} <span aria-hidden="true">›</span>
      </button>
    </div>
  );
}

interface IMoreProps {
  readonly mine: number;
  readonly ended: number;
  readonly showsAll: boolean;
  readonly setShowsAll: (showsAll: boolean) => void;
  readonly trans: TranslationBundle;
}

/** That there are more, and how to see them. */
function More(props: IMoreProps): JSX.Element | null {
  const { mine, ended, showsAll, setShowsAll, trans } = props;
  if (mine > MOST) {
    return (
      <p className="jp-Runai-hint">
        {trans.__(
          'The first %1 of %2; all are in the table.',
          String(MOST),
          String(mine)
        )}
      </p>
    );
  }
  if (ended <= FEW) {
    return null;
  }
  return (
    <button
      type="button"
      className="jp-Runai-link"
      aria-expanded={showsAll}
      onClick={() => {
        setShowsAll(!showsAll);
      }}
    >
      {showsAll
        ? trans.__('Show fewer')
        : trans.__('Show all %1', String(mine))}
    </button>
  );
}

function summary(live: readonly IWorkload[], trans: TranslationBundle): string {
  const waiting = live.filter(isWaiting).length;
  const suspended = live.filter(isSuspended).length;
  const active = live.length - waiting - suspended;
  return [
    active > 0 ? trans._n('%1 active', '%1 active', active) : '',
    waiting > 0 ? trans._n('%1 waiting', '%1 waiting', waiting) : '',
    suspended > 0 ? trans._n('%1 suspended', '%1 suspended', suspended) : ''
  ]
    .filter(part => part !== '')
    .join(' · ');
}
