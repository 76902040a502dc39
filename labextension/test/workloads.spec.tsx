import { act, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { FIRST_CELL, SECOND_CELL } from '../src/components/FirstSteps';
import { liveModel } from './helpers/fakeModel';
import { verdict, warning, workload } from './helpers/sample';
import { fakeActions, frame, showPanel } from './helpers/views';

describe('workloads', () => {
  const waiting = workload({
    id: 'w2',
    name: 'big',
    state: 'pending',
    started: null,
    request: { gpu: 2 },
    verdict: verdict()
  });

  it("are the user's own, live ones first", () => {
    showPanel(
      liveModel({
        workloads: [
          workload({ id: 'w3', name: 'done', state: 'completed', ended: 1041 }),
          workload({ id: 'w4', name: 'theirs', owner: 'user-b' }),
          workload({ created: 1005 }),
          waiting
        ]
      })
    );
    const list = screen.getByRole('list', { name: 'My workloads' });
    const rows = within(list).getAllByRole('listitem');
    expect(rows.map(row => row.getAttribute('data-workload'))).toEqual([
      'w1',
      'w2',
      'w3'
    ]);
    expect(rows[1]).toHaveTextContent(/big2.*waiting · 3rd · fragmented/);
    expect(rows[2]).toHaveTextContent(/done0\.50:31completed/);
    expect(screen.getByText('1 active · 1 waiting')).toBeVisible();
  });

  it('say what a rule is to do to them, which can be put off once', async () => {
    const doing = fakeActions();
    const warned = workload({ notice: warning() });
    const putOff = workload({
      id: 'w5',
      name: 'late',
      notice: warning({ snoozed: 2900, message: 'idle again' })
    });
    showPanel(liveModel({ workloads: [warned, putOff] }), doing);
    expect(screen.getByText(/idle for 30 min/)).toBeVisible();
    expect(screen.getByText('idle again')).toBeVisible();
    await userEvent.click(screen.getByRole('button', { name: /Not yet/ }));
    expect(doing.snooze).toHaveBeenCalledWith(warned);
  });

  it('tell the whole story of waiting when asked', async () => {
    showPanel(liveModel({ workloads: [waiting] }));
    const why = screen.getByRole('button', { name: 'Why big waits' });
    expect(why).toHaveAttribute('aria-expanded', 'false');
    expect(screen.getByText('No device has half free.')).not.toBeVisible();
    await userEvent.click(why);
    expect(why).toHaveAttribute('aria-expanded', 'true');
    expect(screen.getByText('No device has half free.')).toBeVisible();
  });

  it('open their log once, by mouse or keyboard', async () => {
    const doing = fakeActions();
    const model = liveModel({ workloads: [workload()] });
    showPanel(model, doing);
    await userEvent.click(screen.getByText('0.5'));
    expect(doing.openDetails).toHaveBeenCalledTimes(1);
    screen.getByRole('button', { name: 'digits-1' }).focus();
    await userEvent.keyboard('{Enter}');
    expect(doing.openDetails).toHaveBeenCalledTimes(2);
    expect(doing.openDetails).toHaveBeenLastCalledWith(model.workload('w1'));
  });

  it('are stopped by a button that says so, once, and not opened', async () => {
    const doing = fakeActions();
    const model = liveModel({ workloads: [workload()] });
    showPanel(model, doing);
    const stop = screen.getByRole('button', { name: 'Stop digits-1' });
    await userEvent.click(stop);
    expect(doing.stop).toHaveBeenCalledTimes(1);
    expect(doing.openDetails).not.toHaveBeenCalled();
    act(() => {
      model.tell({
        type: 'workload',
        epoch: 'a',
        seq: 1,
        workload: workload({ stop_requested: 1050 })
      });
    });
    await frame();
    expect(screen.getByRole('listitem')).toHaveTextContent('stopping');
    expect(stop).toHaveAttribute('aria-disabled', 'true');
    await userEvent.click(stop);
    expect(doing.stop).toHaveBeenCalledTimes(1);
  });

  it('have no stop button once they have ended', () => {
    showPanel(
      liveModel({ workloads: [workload({ state: 'failed', ended: 1041 })] })
    );
    expect(screen.queryByRole('button', { name: /Stop/ })).toBeNull();
  });

  it('are the last ten of those that have ended, unless all are asked for', async () => {
    const workloads = Array.from({ length: 15 }, (_, index) =>
      workload({ id: `w${index}`, state: 'completed', ended: 2000 + index })
    );
    showPanel(liveModel({ workloads }));
    expect(screen.getAllByRole('listitem')).toHaveLength(10);
    await userEvent.click(screen.getByRole('button', { name: 'Show all 15' }));
    expect(screen.getAllByRole('listitem')).toHaveLength(15);
    await userEvent.click(screen.getByRole('button', { name: 'Show fewer' }));
    expect(screen.getAllByRole('listitem')).toHaveLength(10);
  });

  it('tick while they live', async () => {
    jest.useFakeTimers();
    const started = Date.now() / 1000 - 41;
    showPanel(liveModel({ workloads: [workload({ started })] }));
    expect(screen.getByText('0:41')).toBeVisible();
    await act(() => jest.advanceTimersByTimeAsync(3100));
    expect(screen.getByText('0:44')).toBeVisible();
    jest.useRealTimers();
  });

  it("announce politely what becomes of the user's own", async () => {
    const model = liveModel({ workloads: [waiting] });
    showPanel(model);
    act(() => {
      const changes = { type: 'workload', epoch: 'a' } as const;
      model.tell({
        ...changes,
        seq: 1,
        workload: { ...waiting, state: 'running' }
      });
      model.tell({
        ...changes,
        seq: 2,
        workload: { ...waiting, state: 'running', priority: 1 }
      });
      model.tell({
        ...changes,
        seq: 3,
        workload: workload({ id: 'w9', owner: 'user-b' })
      });
      model.tell({
        ...changes,
        seq: 4,
        workload: workload({ id: 'w8', name: 'new', state: 'pending' })
      });
      model.tell({ type: 'deleted', epoch: 'a', seq: 5, id: 'w8' });
    });
    await frame();
    const region = document.querySelector('[aria-live="polite"]');
    expect(region).toHaveTextContent('big: running. new: waiting');
  });
});

describe('the first steps', () => {
  it('are two cells to paste', async () => {
    const doing = fakeActions();
    showPanel(liveModel(), doing);
    expect(screen.getByText(FIRST_CELL)).toBeVisible();
    expect(screen.getByText(/hello from half a GPU/).textContent).toBe(
      '%%runai train --gpu 0.5\nprint("hello from half a GPU")'
    );
    await userEvent.click(
      screen.getByRole('button', { name: 'Copy the second cell' })
    );
    expect(doing.copy).toHaveBeenCalledWith(SECOND_CELL);
    expect(screen.getByRole('button', { name: 'Copied' })).toBeVisible();
    await userEvent.click(
      screen.getByRole('button', { name: 'Copy the first cell' })
    );
    expect(doing.copy).toHaveBeenLastCalledWith(FIRST_CELL);
  });
});
