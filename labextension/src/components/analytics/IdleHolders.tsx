import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { idleHolders, usedPart } from '../../analytics/amounts';
import type { IGroupAmounts } from '../../analytics/amounts';
import { formatAmount, formatPart } from '../../format/amount';
import { stateWord } from '../../format/words';
import type { IEngineModel } from '../../tokens';
import type { IUsage } from '../../wire';
import { Section } from '../Section';
import { AmountTable } from './AmountTable';

/** How many are shown. */
const MOST = 10;

/** What the table shows. */
export interface IIdleHoldersProps {
  readonly model: IEngineModel;

  /** By workload. */
  readonly usage: IUsage;
  readonly trans: TranslationBundle;

  /** Show all about a workload. */
  readonly openDetails: (id: string) => void;
}

/** The workloads that held most without using it. */
export function IdleHolders(props: IIdleHoldersProps): JSX.Element {
  const { model, usage, trans, openDetails } = props;
  const title = trans.__('Held most without using it');
  const holders = idleHolders(usage.rows, MOST);
  const state = ({ group }: IGroupAmounts): string => {
    const workload = model.workload(group);
    return workload === undefined ? '–' : stateWord(workload, trans);
  };
  const name = ({ group, name: known }: IGroupAmounts): JSX.Element =>
    model.workload(group) === undefined ? (
      <>{known}</>
    ) : (
      <button
        type="button"
        className="jp-Runai-link"
        onClick={() => {
          openDetails(group);
        }}
      >
        {known}
      </button>
    );
  return (
    <Section title={title}>
      {holders.length === 0 ? (
        <p className="jp-Runai-hint">
          {trans.__('No workload held a measured device without using it.')}
        </p>
      ) : (
        <AmountTable
          title={title}
          columns={[
            { title: trans.__('Workload'), cell: name },
            {
              title: trans.__('Owner'),
              kind: 'text',
              cell: ({ owner }) => owner
            },
            {
              title: trans.__('Project'),
              kind: 'text',
              cell: ({ project }) => project
            },
            { title: trans.__('Now'), kind: 'text', cell: state },
            {
              title: trans.__('Idle GPU-hours'),
              cell: ({ idle }) => formatAmount(idle)
            },
            {
              title: trans.__('Used'),
              cell: row => formatPart(usedPart(row))
            }
          ]}
          rows={holders}
          id={({ group }) => group}
        />
      )}
    </Section>
  );
}
