import { RunningWorkloads } from '../src/running';
import { liveModel } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { verdict, workload } from './helpers/sample';
import { trans } from './helpers/views';

describe('what runs', () => {
  const open = jest.fn();
  const stop = jest.fn();
  let model: FakeModel;
  let running: RunningWorkloads;

  beforeEach(() => {
    jest.clearAllMocks();
    model = liveModel({
      workloads: [
        workload({ id: 'w1', name: 'old', created: 1 }),
        workload({
          id: 'w2',
          name: 'new',
          created: 2,
          state: 'pending',
          started: null,
          verdict: verdict()
        }),
        workload({ id: 'w3', name: 'theirs', owner: 'other' }),
        workload({ id: 'w4', name: 'done', state: 'completed', ended: 9 }),
        workload({ id: 'w5', name: 'stopping', stop_requested: 9 })
      ]
    });
    running = new RunningWorkloads({ model, open, stop, trans });
  });

  it('are mine that can be stopped, newest first, each with its state', () => {
    const items = running.running();
    expect(items.map(each => each.label())).toEqual(['new', 'old']);
    expect(items.map(each => each.detail?.())).toEqual(['waiting', 'running']);
    expect(items[0]?.labelTitle?.()).toMatch(/^waiting · 3rd/);
  });

  it('are opened and stopped one by one', () => {
    const [newest] = running.running();
    newest?.open?.();
    newest?.shutdown?.();
    expect(open).toHaveBeenCalledWith('w2');
    expect(stop).toHaveBeenCalledWith(['w2']);
  });

  it('are stopped all at once, after a question that says what it means', () => {
    expect(running.shutdownAllConfirmationText).toMatch(/end for good/);
    running.shutdownAll();
    expect(stop).toHaveBeenCalledWith(['w1', 'w2']);
  });

  it('are told of once however many changes rain', async () => {
    const changed = jest.fn();
    running.runningChanged.connect(changed);
    for (let seq = 1; seq <= 50; seq += 1) {
      const next = workload({ id: 'w1', name: 'old', created: seq });
      model.tell({ epoch: 'a', seq, type: 'workload', workload: next });
    }
    await new Promise(resolve => requestAnimationFrame(resolve));
    expect(changed.mock.calls.length).toBeLessThanOrEqual(1);
    running.refreshRunning();
    expect(changed).toHaveBeenCalled();
  });
});
