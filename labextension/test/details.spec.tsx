import { act, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { liveModel } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { queue, verdict, workload } from './helpers/sample';
import { fakeActions, frame, ShownDetails, trans } from './helpers/views';

function show(model: FakeModel, copy = jest.fn()): jest.Mock {
  render(
    <ShownDetails
      model={model}
      workload="w1"
      follower={model.followLog()}
      actions={fakeActions()}
      trans={trans}
      isVisible
      copy={copy}
    />
  );
  return copy;
}

const waiting = workload({
  state: 'pending',
  started: null,
  verdict: verdict({ facts: { largest_free_share: 0.4 as never } })
});

describe('the details of a workload', () => {
  it('tell its life', async () => {
    show(
      liveModel({
        workloads: [workload({ ended: 1071, state: 'failed', reason: 'Gone.' })]
      })
    );
    await userEvent.click(screen.getByRole('tab', { name: 'Overview' }));
    expect(screen.getByText('by me')).toBeVisible();
    expect(screen.getByText('after waiting 0:10')).toBeVisible();
    expect(screen.getByText('after 1:01 · Gone.')).toBeVisible();
  });

  it('say why it waits with the numbers, and what helps as a button', async () => {
    const model = liveModel({ workloads: [waiting] });
    const remedy = {
      change: 'gpu 0.5 to 0.4',
      effect: 'starts now',
      request: { gpu: '0.4' },
      min_tasks: null,
      priority: null
    };
    model.requests.explain.mockResolvedValue({
      workload: waiting,
      verdict: waiting.verdict,
      queue: queue({ quota: 1 }),
      remedies: [remedy]
    });
    const copy = show(model);
    expect(screen.getByText('No device has half free.')).toBeVisible();
    expect(screen.getByText('largest free share')).toBeVisible();
    await userEvent.click(
      await screen.findByRole('button', { name: 'Submit with gpu 0.5 to 0.4…' })
    );
    expect(copy).toHaveBeenCalledWith('w1', remedy);
    expect(screen.getByText(/quota 1,/)).toBeVisible();
    expect(model.requests.explain).toHaveBeenCalledTimes(1);
  });

  it('make a copy', async () => {
    const copy = show(liveModel({ workloads: [workload()] }));
    await userEvent.click(screen.getByRole('button', { name: 'Make a copy…' }));
    expect(copy).toHaveBeenCalledWith('w1');
  });

  it('go from page to page by arrow keys', async () => {
    const model = liveModel({ workloads: [workload()] });
    show(model);
    act(() => {
      screen.getByRole('tab', { name: 'Log' }).focus();
    });
    expect(screen.getByRole('link', { name: 'Download' })).toHaveAttribute(
      'href',
      'logs/w1'
    );
    await userEvent.keyboard('{ArrowLeft}');
    expect(screen.getByRole('tab', { name: 'Overview' })).toHaveFocus();
    await userEvent.keyboard('{ArrowLeft}');
    expect(screen.getByRole('tab', { name: 'Specification' })).toHaveFocus();
    expect(model.requests.specification).toHaveBeenCalledWith('w1');
  });

  it('keep what was known of one that is gone', async () => {
    const model = liveModel({ workloads: [workload()] });
    show(model);
    act(() => {
      model.tell({ type: 'deleted', epoch: 'a', seq: 1, id: 'w1' });
    });
    await frame();
    expect(screen.getByText('This workload is gone.')).toBeVisible();
    expect(screen.getByRole('heading', { name: 'digits-1' })).toBeVisible();
    expect(document.querySelector('.jp-mod-stale')).not.toBeNull();
  });
});
