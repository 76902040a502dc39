import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import {
  hasEnded,
  isResumable,
  isStoppable,
  isSuspendable
} from '../../model/workloads';
import type { IWorkload } from '../../wire';
import type { ITableActions } from '../actions';

/** What can be done to a selection. */
export interface ISelectionBarProps {
  /** The workloads that are selected. */
  readonly selected: readonly IWorkload[];

  /** Whether a workload is the user's own. */
  readonly isMine: (workload: IWorkload) => boolean;
  readonly actions: ITableActions;
  readonly trans: TranslationBundle;
  readonly clear: () => void;
}

/** The actions on what is selected, each with how many it is for. */
export function SelectionBar(props: ISelectionBarProps): JSX.Element {
  const { selected, isMine, actions, trans, clear } = props;
  const mine = selected.filter(isMine);
  return (
    <div
      className="jp-Runai-selection"
      role="toolbar"
      aria-label={trans.__('Selection')}
    >
      <span role="status">
        {trans._n('%1 selected', '%1 selected', selected.length)}
        {mine.length < selected.length
          ? trans.__(', %1 of them yours', String(mine.length))
          : null}
      </span>
      <Action
        label={trans.__('Stop')}
        of={mine.filter(isStoppable)}
        act={actions.stopAll}
        trans={trans}
      />
      <Action
        label={trans.__('Suspend')}
        of={mine.filter(isSuspendable)}
        act={actions.suspendAll}
        trans={trans}
      />
      <Action
        label={trans.__('Resume')}
        of={mine.filter(isResumable)}
        act={actions.resumeAll}
        trans={trans}
      />
      <Action
        label={trans.__('Delete')}
        of={mine.filter(hasEnded)}
        act={actions.deleteAll}
        trans={trans}
      />
      <button type="button" className="jp-Runai-link" onClick={clear}>
        {trans.__('Clear the selection')}
      </button>
    </div>
  );
}

interface IActionProps {
  readonly label: string;
  readonly of: readonly IWorkload[];
  readonly act: (ids: readonly string[]) => void;
  readonly trans: TranslationBundle;
}

function Action({ label, of, act, trans }: IActionProps): JSX.Element {
  return (
    <button
      type="button"
      className="jp-Runai-action"
      disabled={of.length === 0}
      onClick={() => {
        act(of.map(({ id }) => id));
      }}
    >
      {of.length === 0 ? label : trans.__('%1 (%2)', label, String(of.length))}
    </button>
  );
}
