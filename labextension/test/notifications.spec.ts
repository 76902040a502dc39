import { Notification } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';

import { CommandIDs, NO_ARGS } from '../src/commands';
import { NewsTeller } from '../src/news/teller';
import { newsWords, summaryWords } from '../src/news/words';
import { notificationsPlugin } from '../src/plugins/notifications';
import type { IWorkload } from '../src/wire';
import { FakeApp } from './helpers/fakeApp';
import { liveModel } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { allocation, verdict, warning, workload } from './helpers/sample';
import { trans } from './helpers/views';

describe('which news are told', () => {
  const tell = jest.spyOn(NewsTeller.prototype, 'tell').mockImplementation();
  let model: FakeModel;
  let settings: { composite: object; changed: Signal<object, void> };
  let seq: number;

  beforeEach(() => {
    tell.mockClear();
    seq = 0;
    settings = { composite: {}, changed: new Signal<object, void>({}) };
    model = liveModel({ workloads: [workload({ started: 1010 })] });
  });

  afterAll(() => {
    tell.mockRestore();
  });

  async function activate(composite = {}, hasSettings = true): Promise<void> {
    settings.composite = composite;
    const registry = { load: jest.fn(() => Promise.resolve(settings)) };
    void notificationsPlugin.activate(
      new FakeApp().frontEnd,
      model,
      null,
      hasSettings ? (registry as never) : null
    );
    await new Promise(resolve => setTimeout(resolve));
  }

  /** What is told when a workload has become something else. */
  async function become(changes: Partial<IWorkload>): Promise<string[]> {
    seq += 1;
    const after = { ...workload({ started: 1010 }), ...changes };
    model.tell({ type: 'workload', epoch: 'a', seq, workload: after });
    await new Promise(resolve => setTimeout(resolve));
    return tell.mock.calls.map(([{ kind }]) => kind);
  }

  it('are of my own workloads', async () => {
    await activate();
    model.tell({
      type: 'workload',
      epoch: 'a',
      seq: 1,
      workload: workload({ id: 'w2', owner: 'user-b' })
    });
    seq = 1;
    expect(
      await become({ id: 'w2', owner: 'user-b', state: 'failed', ended: 9 })
    ).toEqual([]);
    expect(await become({ state: 'failed', ended: 2000 })).toEqual(['failed']);
  });

  it('are none where somebody has turned their kind off', async () => {
    await activate({ failed: false });
    expect(await become({ state: 'failed', ended: 2000 })).toEqual([]);
  });

  it('are those of kinds that the settings do not name', async () => {
    await activate({ ended: false });
    expect(await become({ state: 'failed', ended: 2000 })).toEqual(['failed']);
  });

  it.each([
    [{}, 1069, []],
    [{}, 1070, ['ended']],
    [{ longSeconds: 10 }, 1020, ['ended']],
    [{ longSeconds: 600 }, 1070, []]
  ])(
    'with %j are of work that ends at %d: %j',
    async (composite, ended, told) => {
      await activate(composite);
      expect(await become({ state: 'completed', ended })).toEqual(told);
    }
  );

  it('change at once with the settings', async () => {
    await activate({ failed: false });
    settings.composite = { failed: true };
    settings.changed.emit();
    expect(await become({ state: 'failed', ended: 2000 })).toEqual(['failed']);
  });

  it('are the usual ones where there are no settings', async () => {
    await activate({}, false);
    expect(await become({ state: 'failed', ended: 2000 })).toEqual(['failed']);
  });

  it('are none of what is gone', async () => {
    await activate();
    model.tell({ type: 'deleted', epoch: 'a', seq: 1, id: 'w1' });
    await new Promise(resolve => setTimeout(resolve));
    expect(tell).not.toHaveBeenCalled();
  });
});

describe('what news say', () => {
  it.each<[string, Parameters<typeof newsWords>[0]]>([
    ['digits-1 has started.', { kind: 'started', workload: workload() }],
    [
      'digits-1 has started: A100 80GB #1 · memory 40 GB hard, compute soft.',
      { kind: 'started', workload: workload({ allocation: allocation() }) }
    ],
    ['digits-1 cannot start.', { kind: 'stuck', workload: workload() }],
    [
      'digits-1 waits: can never start.',
      {
        kind: 'stuck',
        workload: workload({ verdict: verdict({ code: 'never_fits' }) })
      }
    ],
    [
      'digits-1 was preempted and waits.',
      { kind: 'preempted', workload: workload() }
    ],
    [
      'digits-1: idle again.',
      {
        kind: 'warned',
        workload: workload({ notice: warning({ message: 'idle again' }) })
      }
    ],
    ['digits-1 has completed.', { kind: 'ended', workload: workload() }],
    ['digits-1 has failed.', { kind: 'failed', workload: workload() }],
    [
      'digits-1 has failed: exit code 3',
      { kind: 'failed', workload: workload({ state: 'failed', exit_code: 3 }) }
    ]
  ])('%s', (words, news) => {
    expect(newsWords(news, trans)).toBe(words);
  });

  it.each([
    ['started', '7 workloads have started.'],
    ['stuck', '7 workloads wait and cannot start.'],
    ['preempted', '7 workloads were preempted and wait.'],
    ['warned', '7 workloads are warned by a rule.'],
    ['ended', '7 workloads have completed.'],
    ['failed', '7 workloads have failed.']
  ] as const)('of many that have %s: %s', (kind, words) => {
    expect(summaryWords(kind, 7, trans)).toBe(words);
  });
});

describe('the commands behind news', () => {
  it('show what they are about, and put off what they warn of', async () => {
    const app = new FakeApp();
    const ran: [string, unknown][] = [];
    for (const id of [
      CommandIDs.openDetails,
      CommandIDs.openTable,
      CommandIDs.snoozeWorkload
    ]) {
      app.commands.addCommand(id, {
        describedBy: { args: NO_ARGS },
        execute: args => {
          ran.push([id, args]);
        }
      });
    }
    Notification.dismiss();
    const workloads = Array.from({ length: 5 }, (_, index) =>
      workload({ id: `w${index}` })
    );
    const model = liveModel({ workloads });
    void notificationsPlugin.activate(app.frontEnd, model, null, null);
    let seq = 0;
    const press = async (changed: IWorkload): Promise<void> => {
      seq += 1;
      model.tell({ type: 'workload', epoch: 'a', seq, workload: changed });
      await new Promise(resolve => setTimeout(resolve));
      const { notifications } = Notification.manager;
      notifications
        .at(0)
        ?.options.actions?.at(0)
        ?.callback(new MouseEvent('click'));
    };
    await press(workload({ id: 'w0', notice: warning() }));
    for (const { id } of workloads.slice(1)) {
      await press(workload({ id, state: 'failed', ended: 5 }));
    }
    expect(ran).toEqual([
      [CommandIDs.snoozeWorkload, { workload: 'w0' }],
      [CommandIDs.openDetails, { workload: 'w1' }],
      [CommandIDs.openDetails, { workload: 'w2' }],
      [CommandIDs.openDetails, { workload: 'w3' }],
      [CommandIDs.openTable, {}]
    ]);
  });
});
