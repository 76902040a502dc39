import { nullTranslator } from '@jupyterlab/translation';
import { act, render } from '@testing-library/react';
import { useState } from 'react';
import type { JSX } from 'react';

import type { IActions, ITableActions } from '../../src/components/actions';
import { DetailsView } from '../../src/components/details/DetailsView';
import type {
  IDetailsViewProps,
  Page
} from '../../src/components/details/DetailsView';
import { Panel } from '../../src/components/Panel';
import { USUAL } from '../../src/panel/arrangement';
import type { IArrangement } from '../../src/panel/arrangement';
import { workspacesOf } from './fakeModel';
import type { FakeModel } from './fakeModel';

/** Texts as they are in the source. */
export const trans = nullTranslator.load('jupyter_runai');

/** Actions that only remember that they were asked for. */
export function fakeActions(): jest.Mocked<IActions> {
  return {
    openDetails: jest.fn(),
    openTable: jest.fn(),
    openAnalytics: jest.fn(),
    submit: jest.fn(),
    newWorkspace: jest.fn(),
    openWorkspace: jest.fn(),
    copyWorkspace: jest.fn(),
    deleteWorkspace: jest.fn(),
    stop: jest.fn(),
    suspend: jest.fn(),
    resume: jest.fn(),
    snooze: jest.fn(),
    simulate: jest.fn(),
    copy: jest.fn()
  };
}

/** The same for the table. */
export function fakeTableActions(): jest.Mocked<ITableActions> {
  return {
    openDetails: jest.fn(),
    stopAll: jest.fn(),
    suspendAll: jest.fn(),
    resumeAll: jest.fn(),
    deleteAll: jest.fn(),
    submit: jest.fn(),
    save: jest.fn()
  };
}

/** Show the panel to somebody. */
export function showPanel(
  model: FakeModel,
  actions: IActions = fakeActions(),
  arrange: (arrangement: IArrangement) => void = jest.fn()
): void {
  const workspaces = workspacesOf(model);
  render(
    <Panel
      model={model}
      workspaces={workspaces}
      actions={actions}
      trans={trans}
      isVisible
      arrangement={USUAL}
      arrange={arrange}
    />
  );
}

/** The details of a workload, turned to the page that somebody chooses. */
export function ShownDetails(
  props: Omit<IDetailsViewProps, 'page' | 'turnTo'>
): JSX.Element {
  const [page, turnTo] = useState<Page | null>(null);
  return <DetailsView {...props} page={page} turnTo={turnTo} />;
}

/** Let the frame come in which views render what they were told. */
export async function frame(): Promise<void> {
  await act(async () => {
    await new Promise(resolve => requestAnimationFrame(resolve));
  });
}
