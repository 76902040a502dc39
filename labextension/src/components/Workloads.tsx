import type { TranslationBundle } from '@jupyterlab/translation';
import { useState } from 'react';
import type { JSX } from 'react';

import { hasEnded, inOrder, isWaiting } from '../model/workloads';
import type { IEngineModel } from '../tokens';
import type { IWorkload } from '../wire';
import type { IActions } from './actions';
import { FirstSteps } from './FirstSteps';
import { Section } from './Section';
import { WorkloadRow } from './WorkloadRow';

/** How many ended workloads are shown unless all are asked for. */
const FEW = 10;

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
      <Section title={title}>
        <FirstSteps actions={actions} trans={trans} />
      </Section>
    );
  }
  const live = mine.filter(workload => !hasEnded(workload));
  const shown = showsAll ? mine : mine.slice(0, live.length + FEW);
  return (
    <Section title={title} summary={summary(live, trans)}>
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
      {mine.length - live.length > FEW ? (
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
            : trans.__('Show all %1', String(mine.length))}
        </button>
      ) : null}
    </Section>
  );
}

function summary(live: readonly IWorkload[], trans: TranslationBundle): string {
  const waiting = live.filter(isWaiting).length;
  const active = live.length - waiting;
  return [
    active > 0 ? trans._n('%1 active', '%1 active', active) : '',
    waiting > 0 ? trans._n('%1 waiting', '%1 waiting', waiting) : ''
  ]
    .filter(part => part !== '')
    .join(' · ');
}
