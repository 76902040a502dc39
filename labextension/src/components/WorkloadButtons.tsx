import type { TranslationBundle } from '@jupyterlab/translation';
import { runIcon, stopIcon } from '@jupyterlab/ui-components';
import type { LabIcon } from '@jupyterlab/ui-components';
import type { JSX } from 'react';

import { pauseIcon } from '../icons';
import {
  hasEnded,
  isResumable,
  isStoppable,
  isSuspendable,
  isSuspended
} from '../model/workloads';
import type { IWorkload } from '../wire';
import type { WorkloadActions } from './actions';

/** What the buttons need. */
export interface IWorkloadButtonProps {
  readonly workload: IWorkload;
  readonly actions: WorkloadActions;
  readonly trans: TranslationBundle;
}

/** Ends the workload for good, as its name says. */
export function StopButton(props: IWorkloadButtonProps): JSX.Element | null {
  const { workload, actions, trans } = props;
  if (hasEnded(workload)) {
    return null;
  }
  return (
    <IconButton
      icon={stopIcon}
      label={trans.__('Stop %1', workload.name)}
      isEnabled={isStoppable(workload)}
      act={() => {
        actions.stop(workload);
      }}
    />
  );
}

/** Frees what the workload holds, or lets it wait for that again. */
export function SuspendButton(props: IWorkloadButtonProps): JSX.Element | null {
  const { workload, actions, trans } = props;
  if (hasEnded(workload)) {
    return null;
  }
  if (isSuspended(workload)) {
    return (
      <IconButton
        icon={runIcon}
        label={trans.__('Resume %1', workload.name)}
        isEnabled={isResumable(workload)}
        act={() => {
          actions.resume(workload);
        }}
      />
    );
  }
  return (
    <IconButton
      icon={pauseIcon}
      label={trans.__('Suspend %1', workload.name)}
      isEnabled={isSuspendable(workload)}
      act={() => {
        actions.suspend(workload);
      }}
    />
  );
}

/** What a button with an icon needs. */
export interface IIconButtonProps {
  readonly icon: LabIcon;
  readonly label: string;
  readonly isEnabled: boolean;
  readonly act: () => void;
}

/** A button whose name is its icon's tip. */
export function IconButton(props: IIconButtonProps): JSX.Element {
  const { icon, label, isEnabled, act } = props;
  return (
    <button
      type="button"
      className="jp-Runai-iconButton"
      aria-label={label}
      title={label}
      aria-disabled={!isEnabled}
      onClick={event => {
        event.stopPropagation();
        if (isEnabled) {
          act();
        }
      }}
    >
      <icon.react tag={null} width="14px" height="14px" />
    </button>
  );
}
