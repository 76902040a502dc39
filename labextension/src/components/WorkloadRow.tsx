import type { TranslationBundle } from '@jupyterlab/translation';
import { infoIcon } from '@jupyterlab/ui-components';
import { memo, useId, useState } from 'react';
import type { JSX } from 'react';

import { formatAsked } from '../format/share';
import { elapsed, formatElapsed } from '../format/time';
import { detailLine, idleWords, stateWord } from '../format/words';
import { isWaiting } from '../model/workloads';
import type { IWorkload } from '../wire';
import { StateGlyph } from './StateGlyph';
import type { IActions } from './actions';
import { Notice } from './Notice';
import { StopButton, SuspendButton } from './WorkloadButtons';

/** What is shown of a workload. */
export interface IWorkloadRowProps {
  readonly workload: IWorkload;
  readonly actions: IActions;
  readonly trans: TranslationBundle;

  /** The time in seconds; any for one that has ended. */
  readonly now: number;
}

/** One workload: its figures on a line, and its state with what explains it below. */
export const WorkloadRow = memo(function WorkloadRow(
  props: IWorkloadRowProps
): JSX.Element {
  const { workload, actions, trans, now } = props;
  return (
    <li
      className="jp-Runai-workload"
      data-state={workload.state}
      data-workload={workload.id}
    >
      <div
        className="jp-Runai-workloadLine"
        onClick={() => {
          actions.openDetails(workload);
        }}
      >
        <StateGlyph workload={workload} />
        {/* The line's own handler does the work: a click on the button reaches it. */}
        <button
          type="button"
          className="jp-Runai-workloadName"
          title={trans.__('Show the details of %1', workload.name)}
        >
          {workload.name}
        </button>
        <span className="jp-Runai-number">{formatAsked(workload, trans)}</span>
        <span className="jp-Runai-number jp-Runai-elapsed">
          {formatElapsed(elapsed(workload, now))}
        </span>
        <SuspendButton workload={workload} actions={actions} trans={trans} />
        <StopButton workload={workload} actions={actions} trans={trans} />
      </div>
      <Detail workload={workload} trans={trans} now={now} />
      <Notice workload={workload} actions={actions} trans={trans} />
    </li>
  );
});

function Detail(
  props: Pick<IWorkloadRowProps, 'workload' | 'trans' | 'now'>
): JSX.Element {
  const { workload, trans, now } = props;
  const [isOpen, setIsOpen] = useState(false);
  const id = useId();
  const detail = [idleWords(workload, now, trans), detailLine(workload, trans)]
    .filter(words => words !== '')
    .join(' · ');
  const story = isWaiting(workload) ? (workload.verdict?.message ?? '') : '';
  return (
    <div className="jp-Runai-detail">
      <span className="jp-Runai-detailLine" title={detail}>
        <span className="jp-Runai-state">{stateWord(workload, trans)}</span>
        {detail === '' ? null : ` · ${detail}`}
      </span>
      {story === '' ? null : (
        <button
          type="button"
          className="jp-Runai-iconButton"
          aria-label={trans.__('Why %1 waits', workload.name)}
          title={trans.__('Why %1 waits', workload.name)}
          aria-expanded={isOpen}
          aria-controls={id}
          onClick={() => {
            setIsOpen(!isOpen);
          }}
        >
          <infoIcon.react tag={null} width="14px" height="14px" />
        </button>
      )}
      <p id={id} className="jp-Runai-story" hidden={!isOpen || story === ''}>
        {story}
      </p>
    </div>
  );
}
