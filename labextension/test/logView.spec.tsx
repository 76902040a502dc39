import { act, fireEvent, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { LogFollower } from '../src/model/logFollower';
import { FakeModel, liveModel } from './helpers/fakeModel';
import { workload } from './helpers/sample';
import { fakeActions, frame, ShownDetails, trans } from './helpers/views';

function follower(text: string): LogFollower {
  const followed = new LogFollower({ release: () => undefined });
  append(followed, text);
  return followed;
}

function append(followed: LogFollower, text: string): void {
  const offset = followed.next;
  const next = offset + text.length;
  followed.append({ type: 'log', workload: 'w1', offset, next, text });
}

function show(
  model: FakeModel,
  followed: LogFollower,
  stop: () => void = () => undefined
): void {
  render(
    <ShownDetails
      model={model}
      workload="w1"
      follower={followed}
      actions={{ ...fakeActions(), stop }}
      trans={trans}
      isVisible
      copy={jest.fn()}
    />
  );
}

describe('the log of a workload', () => {
  it('shows the state on a line and the text below', async () => {
    const stop = jest.fn();
    show(liveModel({ workloads: [workload()] }), follower('one\ntwo'), stop);
    expect(screen.getByRole('heading', { name: 'digits-1' })).toBeVisible();
    expect(screen.getAllByRole('status')[0]).toHaveTextContent('running');
    expect(
      screen.getByRole('log', { name: 'Log of digits-1' }).textContent
    ).toBe('one\ntwo');
    await userEvent.click(
      screen.getByRole('button', { name: 'Stop digits-1' })
    );
    expect(stop).toHaveBeenCalledTimes(1);
  });

  it('grows with the log', async () => {
    const followed = follower('');
    show(liveModel({ workloads: [workload()] }), followed);
    expect(screen.getByText('Nothing written yet.')).toBeVisible();
    act(() => {
      append(followed, '10 %');
      append(followed, '\r20 %');
    });
    await frame();
    expect(screen.getByRole('log').textContent).toBe('20 %');
    expect(screen.queryByText('Nothing written yet.')).toBeNull();
  });

  it('says what was left out at the beginning', () => {
    const followed = new LogFollower({ release: () => undefined });
    followed.append({
      type: 'log',
      workload: 'w1',
      offset: 3_100_000,
      next: 3_100_004,
      text: 'late'
    });
    show(liveModel({ workloads: [workload()] }), followed);
    expect(
      screen.getByText('The first 3.1 MB of this log are left out.')
    ).toBeVisible();
  });

  it('says that a workload wrote nothing', () => {
    const followed = follower('');
    followed.complete();
    show(
      liveModel({ workloads: [workload({ state: 'completed', ended: 1041 })] }),
      followed
    );
    expect(screen.getByText('It wrote nothing.')).toBeVisible();
  });

  it('shows the exception after the log', () => {
    const error = {
      type: 'ValueError',
      message: 'no',
      traceback: 'Traceback (most recent call last):\nValueError: no'
    };
    const failed = workload({
      state: 'failed',
      ended: 1041,
      report: { results: [], error }
    });
    show(liveModel({ workloads: [failed] }), follower('epoch 1\n'));
    expect(screen.getByRole('region', { name: 'Traceback' }).textContent).toBe(
      error.traceback
    );
  });

  it('names the exception where there is no traceback', () => {
    const error = { type: 'ValueError', message: 'no', traceback: '' };
    const failed = workload({
      state: 'failed',
      ended: 1041,
      report: { results: [], error }
    });
    show(liveModel({ workloads: [failed] }), follower(''));
    expect(screen.getByRole('region', { name: 'Traceback' })).toHaveTextContent(
      'ValueError: no'
    );
  });

  it('says why a log cannot be read', () => {
    const followed = follower('');
    followed.complete({ code: 'gone', message: 'No log.', hint: 'Sorry.' });
    show(liveModel({ workloads: [workload()] }), followed);
    expect(screen.getByText('No log. Sorry.')).toBeVisible();
  });

  it('says that the engine is starting, or why it does not', async () => {
    const model = new FakeModel();
    show(model, follower(''));
    expect(screen.getByText('The engine is starting…')).toBeVisible();
    act(() => {
      model.connect({
        phase: 'lost',
        heard: null,
        problem: { code: 'locked', message: 'It is locked.', hint: '' }
      });
    });
    await frame();
    expect(screen.getByText('It is locked.')).toBeVisible();
  });

  it('keeps the text of a workload that is gone', async () => {
    const model = liveModel({ workloads: [workload()] });
    show(model, follower('kept\n'));
    act(() => {
      model.tell({ type: 'deleted', epoch: 'a', seq: 1, id: 'w1' });
    });
    await frame();
    expect(screen.getByText('This workload is gone.')).toBeVisible();
    expect(screen.getByRole('log').textContent).toBe('kept\n');
  });

  it('stays at the end unless somebody has scrolled up', async () => {
    const followed = follower('one\n');
    show(liveModel({ workloads: [workload()] }), followed);
    const output = screen.getByRole('region', { name: 'Output of digits-1' });
    let height = 1000;
    Object.defineProperty(output, 'scrollHeight', { get: () => height });
    Object.defineProperty(output, 'clientHeight', { value: 200 });
    act(() => {
      append(followed, 'two\n');
    });
    await frame();
    expect(output.scrollTop).toBe(1000);

    fireEvent.scroll(output);
    output.scrollTop = 300;
    fireEvent.scroll(output);
    height = 2000;
    act(() => {
      append(followed, 'three\n');
    });
    await frame();
    expect(output.scrollTop).toBe(300);

    await userEvent.click(
      screen.getByRole('button', { name: 'Jump to the end' })
    );
    expect(output.scrollTop).toBe(2000);
    expect(
      screen.queryByRole('button', { name: 'Jump to the end' })
    ).toBeNull();
  });
});
