import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX, ReactNode } from 'react';

import { formatAsked } from '../format/share';
import { elapsed, formatElapsed } from '../format/time';
import { detailLine, idleWords, stateWord } from '../format/words';
import type { IWorkload } from '../wire';
import { StateGlyph } from './StateGlyph';
import type { WorkloadActions } from './actions';
import { StopButton, SuspendButton } from './WorkloadButtons';

/** What the line shows. */
export interface IWorkloadHeadProps {
  readonly workload: IWorkload;
  readonly actions: WorkloadActions;
  readonly trans: TranslationBundle;

  /** The time in seconds. */
  readonly now: number;

  /** More that can be done. */
  readonly children?: ReactNode;
}

/** A workload's state on a line, with what can be done to it. */
export function WorkloadHead(props: IWorkloadHeadProps): JSX.Element {
  const { workload, actions, trans, now } = props;
  const detail = detailLine(workload, trans);
  return (
    <div className="jp-Runai-logHead">
      <StateGlyph workload={workload} />
      <h2 className="jp-Runai-name">{workload.name}</h2>
      <span className="jp-Runai-state" role="status">
        {stateWord(workload, trans)}
      </span>
      <span className="jp-Runai-number">{idleWords(workload, now, trans)}</span>
      <span className="jp-Runai-number">{formatAsked(workload, trans)}</span>
      <span className="jp-Runai-detailLine" title={detail}>
        {detail}
      </span>
      <span className="jp-Runai-number jp-Runai-elapsed">
        {formatElapsed(elapsed(workload, now))}
      </span>
      {props.children}
      <SuspendButton workload={workload} actions={actions} trans={trans} />
      <StopButton workload={workload} actions={actions} trans={trans} />
    </div>
  );
}
