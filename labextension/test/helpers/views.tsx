import { nullTranslator } from '@jupyterlab/translation';
import { act, render } from '@testing-library/react';

import type { IActions, ITableActions } from '../../src/components/actions';
import { Panel } from '../../src/components/Panel';
import { USUAL } from '../../src/panel/arrangement';
import type { IArrangement } from '../../src/panel/arrangement';
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
  render(
    <Panel
      model={model}
      actions={actions}
      trans={trans}
      isVisible
      arrangement={USUAL}
      arrange={arrange}
    />
  );
}

/** Let the frame come in which views render what they were told. */
export async function frame(): Promise<void> {
  await act(async () => {
    await new Promise(resolve => requestAnimationFrame(resolve));
  });
}
