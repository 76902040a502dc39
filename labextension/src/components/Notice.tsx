import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { hasEnded, isSnoozable } from '../model/workloads';
import type { IWorkload } from '../wire';
import type { WorkloadActions } from './actions';

/** What the line needs. */
export interface INoticeProps {
  readonly workload: IWorkload;
  readonly actions: Pick<WorkloadActions, 'snooze'>;
  readonly trans: TranslationBundle;
}

/** What a rule is to do to a workload, or has done, and a way to put it off. */
export function Notice(props: INoticeProps): JSX.Element | null {
  const { workload, actions, trans } = props;
  if (workload.notice === null || hasEnded(workload)) {
    return null;
  }
  return (
    <p className="jp-Runai-notice" role="status">
      {workload.notice.message}
      {isSnoozable(workload) ? (
        <>
          {' '}
          <button
            type="button"
            className="jp-Runai-link"
            aria-label={trans.__(
              'Not yet: let %1 be idle for longer',
              workload.name
            )}
            onClick={() => {
              actions.snooze(workload);
            }}
          >
            {trans.__('Not yet')}
          </button>
        </>
      ) : null}
    </p>
  );
}
