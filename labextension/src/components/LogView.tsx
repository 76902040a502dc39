import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { formatAsked } from '../format/share';
import { elapsed, formatElapsed } from '../format/time';
import { detailLine, stateGlyph, stateWord } from '../format/words';
import { hasEnded } from '../model/workloads';
import type { IEngineModel, ILogFollower } from '../tokens';
import type { IWorkload } from '../wire';
import type { IActions } from './actions';
import { useChanges, useNow } from './hooks';
import { LogOutput } from './LogOutput';
import { StopButton, SuspendButton } from './WorkloadButtons';

/** What the view shows. */
export interface ILogViewProps {
  readonly model: IEngineModel;

  /** The id of the workload whose log it is. */
  readonly workload: string;

  /** The log, followed. */
  readonly follower: ILogFollower;

  readonly actions: Pick<IActions, 'stop' | 'suspend' | 'resume'>;
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
  return (
    <div className="jp-Runai-logView">
      {workload === undefined ? (
        <p className="jp-Runai-logHead">{missing(model, trans)}</p>
      ) : (
        <LogHead
          workload={workload}
          actions={actions}
          trans={trans}
          isVisible={isVisible}
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

interface ILogHeadProps {
  readonly workload: IWorkload;
  readonly actions: Pick<IActions, 'stop' | 'suspend' | 'resume'>;
  readonly trans: TranslationBundle;
  readonly isVisible: boolean;
}

function LogHead(props: ILogHeadProps): JSX.Element {
  const { workload, actions, trans, isVisible } = props;
  const now = useNow(isVisible && !hasEnded(workload));
  const detail = detailLine(workload, trans);
  return (
    <div className="jp-Runai-logHead">
      <span
        className={`jp-Runai-glyph jp-mod-${workload.state}`}
        aria-hidden="true"
      >
        {stateGlyph(workload)}
      </span>
      <h2 className="jp-Runai-name">{workload.name}</h2>
      <span className="jp-Runai-state" role="status">
        {stateWord(workload, trans)}
      </span>
      <span className="jp-Runai-number">{formatAsked(workload, trans)}</span>
      <span className="jp-Runai-detailLine" title={detail}>
        {detail}
      </span>
      <span className="jp-Runai-number jp-Runai-elapsed">
        {formatElapsed(elapsed(workload, now))}
      </span>
      <SuspendButton workload={workload} actions={actions} trans={trans} />
      <StopButton workload={workload} actions={actions} trans={trans} />
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
