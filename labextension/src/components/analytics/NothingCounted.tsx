import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

/** What is said where there are no figures. */
export interface INothingCountedProps {
  /** Whether there is no workload yet at all. */
  readonly isFirst: boolean;

  /** Submit a workload through a dialog. */
  readonly submit: () => void;
  readonly trans: TranslationBundle;
}

/** That nothing was counted, and what will be. */
export function NothingCounted(props: INothingCountedProps): JSX.Element {
  const { isFirst, submit, trans } = props;
  return (
    <div className="jp-Runai-nothing">
      <p role="status">
        {isFirst
          ? trans.__('Nothing has been counted yet.')
          : trans.__(
              'No workload held a device or waited for one in this time.'
            )}
      </p>
      <p className="jp-Runai-hint">
        {isFirst
          ? trans.__(
              'As soon as a workload holds a device or waits for one, its hours are counted and appear here within a minute: what it held and what of it was used, how long it waited, and what it cost where devices have a price.'
            )
          : trans.__('Another period may have some.')}
      </p>
      <button type="button" className="jp-Runai-action" onClick={submit}>
        {trans.__('New workload…')}
      </button>
    </div>
  );
}
