import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { leaseWords } from '../format/lease';
import { isWaiting } from '../model/workloads';
import type { IEngineModel } from '../tokens';
import type { IWorkload } from '../wire';
import { useChanges } from './hooks';

/** What the button shows. */
export interface ILeaseButtonProps {
  readonly model: IEngineModel;

  /** The workload that the kernel is; null where it is none. */
  readonly lease: () => IWorkload | null;
  readonly trans: TranslationBundle;

  /** Whether somebody can see it. */
  readonly isVisible: boolean;

  /** Show what can be done, below the button. */
  readonly open: (button: HTMLElement) => Promise<void>;
}

/** What a notebook's kernel holds; opens a menu. */
export function LeaseButton(props: ILeaseButtonProps): JSX.Element | null {
  const { model, lease, trans, isVisible, open } = props;
  useChanges(model, isVisible);
  if (model.info === null) {
    return null;
  }
  const workload = lease();
  const words = leaseWords(workload, trans);
  const why =
    workload !== null && isWaiting(workload) ? workload.verdict?.message : null;
  return (
    <button
      type="button"
      className="jp-Runai-leaseButton"
      aria-haspopup="menu"
      aria-label={trans.__('GPU of this kernel: %1', words)}
      title={why ?? trans.__('GPU of this kernel')}
      onClick={({ currentTarget }) => {
        void open(currentTarget);
      }}
    >
      {words} <span aria-hidden="true">▾</span>
    </button>
  );
}
