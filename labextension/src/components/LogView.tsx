import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import type { IEngineModel, ILogFollower } from '../tokens';
import type { WorkloadActions } from './actions';
import { useChanges, useNow } from './hooks';
import { LogOutput } from './LogOutput';
import { WorkloadHead } from './WorkloadHead';

/** What the view shows. */
export interface ILogViewProps {
  readonly model: IEngineModel;

  /** The id of the workload whose log it is. */
  readonly workload: string;

  /** The log, followed. */
  readonly follower: ILogFollower;

  readonly actions: WorkloadActions;
  readonly trans: TranslationBundle;

  /** Whether somebody can see it. */
  readonly isVisible: boolean;
}

/** A workload's state on a line and its log below, as it is written. */
export function LogView(props: ILogViewProps): JSX.Element {
  const { model, follower, actions, trans, isVisible } = props;
  useChanges(model, isVisible);
  useChanges(follower, isVisible);
  const workload = model.workload(props.workload);
  const now = useNow(isVisible && workload?.ended === null);
  return (
    <div className="jp-Runai-logView">
      {workload === undefined ? (
        <p className="jp-Runai-logHead">{missing(model, trans)}</p>
      ) : (
        <WorkloadHead
          workload={workload}
          actions={actions}
          trans={trans}
          now={now}
        />
      )}
      <LogOutput
        name={workload?.name ?? props.workload}
        text={follower.text}
        isComplete={follower.isComplete}
        isKnown={workload !== undefined}
        problem={follower.problem}
        error={workload?.report?.error ?? null}
        trans={trans}
      />
    </div>
  );
}

/** Why there is nothing to say about the workload. */
export function missing(model: IEngineModel, trans: TranslationBundle): string {
  if (model.info !== null) {
    return trans.__('This workload is gone.');
  }
  return (
    model.connection.problem?.message ?? trans.__('The engine is starting…')
  );
}
