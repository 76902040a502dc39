import { InputDialog, Notification } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';

import { actOn, tell, tellRefusals } from '../src/acting';
import { chooseName, chooseWorkload } from '../src/choose';
import { CommandIDs, workloadOf, workloadsOf } from '../src/commands';
import { EngineError } from '../src/model/api';
import {
  isResumable,
  isSnoozable,
  isStoppable,
  isSuspendable
} from '../src/model/workloads';
import { addVerbs } from '../src/verbs';
import type { IWorkload } from '../src/wire';
import { liveModel } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { STATES, warning, workload } from './helpers/sample';
import { trans } from './helpers/views';

jest.mock('@jupyterlab/apputils', () => ({
  ...jest.requireActual<object>('@jupyterlab/apputils'),
  InputDialog: { getItem: jest.fn() },
  Notification: { error: jest.fn(), info: jest.fn() }
}));

const choose = jest.mocked(InputDialog.getItem);
const notify = jest.mocked(Notification.error);
const inform = jest.mocked(Notification.info);

function refusal(message: string, hint = ''): EngineError {
  return new EngineError({ code: 'conflict', message, hint });
}

function answerWith(value: string | null): void {
  choose.mockResolvedValue({ value, button: {} as never, isChecked: null });
}

beforeEach(() => {
  jest.clearAllMocks();
});

describe('what can be done to a workload', () => {
  const ENDED = ['completed', 'failed', 'stopped'];

  it.each(STATES)('that is %s', state => {
    const one = workload({ state });
    const lives = !ENDED.includes(state) && state !== 'deleting';
    expect(isStoppable(one)).toBe(lives);
    expect(isSuspendable(one)).toBe(
      lives && state !== 'suspended' && state !== 'suspending'
    );
    expect(isResumable(one)).toBe(state === 'suspended');
  });

  it.each(STATES)('that is %s and asked to stop is nothing', state => {
    const one = workload({ state, stop_requested: 5 });
    expect([isStoppable(one), isSuspendable(one), isResumable(one)]).toEqual([
      false,
      false,
      false
    ]);
  });

  it('that was not submitted here is what its kind is made for', () => {
    const origin = (actions: readonly string[]): IWorkload['origin'] =>
      ({ kind: 'Deployment', actions }) as unknown as IWorkload['origin'];
    const one = workload({ origin: origin(['suspend']) });
    expect([isStoppable(one), isSuspendable(one)]).toEqual([false, true]);
    const other = workload({ origin: origin(['stop', 'resume']) });
    expect([isStoppable(other), isSuspendable(other)]).toEqual([true, false]);
    expect(isResumable({ ...other, state: 'suspended' })).toBe(true);
    expect(isResumable({ ...one, state: 'suspended' })).toBe(false);
  });

  it.each([
    [null, false],
    [warning(), true],
    [warning({ rule: 'max_time' }), false],
    [warning({ acts_at: null }), false],
    [warning({ snoozed: 3000 }), false]
  ])('with the notice %j can be put off: %s', (notice, expected) => {
    expect(isSnoozable(workload({ notice }))).toBe(expected);
  });
});

describe('the arguments of commands', () => {
  it.each([
    [{}, null, null],
    [{ workload: 'a' }, 'a', ['a']],
    [{ workload: 7 }, null, null],
    [{ workloads: ['a', 'b'] }, null, ['a', 'b']],
    [{ workloads: ['a', 7, null] }, null, ['a']],
    [{ workloads: [] }, null, []],
    [{ workloads: 'a' }, null, null],
    [{ workload: 'a', workloads: ['b'] }, 'a', ['b']]
  ])('%j name %j, or all of %j', (args, one, all) => {
    expect(workloadOf(args)).toBe(one);
    expect(workloadsOf(args)).toEqual(all);
  });
});

describe('the commands for workloads', () => {
  const suspended = workload({ id: 'w3', name: 'sleeps', state: 'suspended' });
  let commands: CommandRegistry;
  let model: FakeModel;

  beforeEach(() => {
    commands = new CommandRegistry();
    model = liveModel({
      workloads: [
        workload(),
        workload({ id: 'w2', name: 'done', state: 'completed', ended: 1041 }),
        suspended,
        workload({ id: 'w4', name: 'warned', notice: warning() }),
        workload({ id: 'w5', name: 'theirs', owner: 'user-b' })
      ]
    });
    addVerbs(commands, model, trans);
  });

  it.each([
    [
      CommandIDs.stopWorkload,
      ['warned (running)', 'digits-1 (running)', 'sleeps (suspended)']
    ],
    [CommandIDs.suspendWorkload, ['warned (running)', 'digits-1 (running)']],
    [CommandIDs.resumeWorkload, ['sleeps (suspended)']],
    [CommandIDs.snoozeWorkload, ['warned (running)']],
    [CommandIDs.deleteWorkload, ['done (completed)']]
  ])('%s offers those that it is for, of my own', async (id, items) => {
    answerWith(null);
    await commands.execute(id);
    const offered = [...(choose.mock.calls[0]?.[0].items ?? [])].sort();
    expect(offered).toEqual([...items].sort());
  });

  it.each([
    [CommandIDs.stopWorkload, 'Stop digits-1'],
    [CommandIDs.suspendWorkload, 'Suspend digits-1'],
    [CommandIDs.resumeWorkload, 'Resume digits-1'],
    [CommandIDs.snoozeWorkload, 'Let digits-1 be idle for longer'],
    [CommandIDs.deleteWorkload, 'Delete digits-1']
  ])('%s names what it is for: %s', (id, label) => {
    expect(commands.label(id, { workload: 'w1' })).toBe(label);
    expect(commands.label(id, {})).toMatch(/…$/);
    // It has vanished since the menu was opened.
    expect(commands.label(id, { workload: 'gone' })).toMatch(/…$/);
  });

  it('are enabled for what is named, and where there is something to choose', () => {
    const enabled = (): boolean[] =>
      [
        CommandIDs.stopWorkload,
        CommandIDs.resumeWorkload,
        CommandIDs.deleteWorkload
      ].map(id => commands.isEnabled(id));
    expect(enabled()).toEqual([true, true, true]);
    model.tell({ type: 'deleted', epoch: 'a', seq: 1, id: 'w2' });
    model.tell({ type: 'deleted', epoch: 'a', seq: 2, id: 'w3' });
    expect(enabled()).toEqual([true, false, false]);
    expect(
      commands.isEnabled(CommandIDs.resumeWorkload, { workload: 'w3' })
    ).toBe(true);
  });

  it('do nothing where the user chooses none', async () => {
    answerWith(null);
    await commands.execute(CommandIDs.stopWorkload);
    expect(model.stopped).toEqual([]);
    expect(notify).not.toHaveBeenCalled();
  });

  it('do nothing for an empty list', async () => {
    await commands.execute(CommandIDs.deleteWorkload, { workloads: [] });
    expect(model.deleted).toEqual([]);
    expect(inform).not.toHaveBeenCalled();
    expect(choose).not.toHaveBeenCalled();
  });

  it('tell what was refused of several, and have done the rest', async () => {
    model.requests.suspend.mockRejectedValueOnce(refusal('It ends.', 'Wait.'));
    await commands.execute(CommandIDs.suspendWorkload, {
      workloads: ['w1', 'w4', 'w3']
    });
    expect(model.suspended).toEqual(['w4', 'w3']);
    expect(notify).toHaveBeenCalledWith('1 of 3 refused: It ends. Wait.', {
      autoClose: false
    });
  });

  describe('that delete', () => {
    async function remove(...workloads: string[]): Promise<() => void> {
      await commands.execute(CommandIDs.deleteWorkload, { workloads });
      const [undo] = inform.mock.calls.at(-1)?.[1]?.actions ?? [];
      return () => undo?.callback(new MouseEvent('click'));
    }

    it('say how many, and bring all of them back', async () => {
      const undo = await remove('w2', 'w3');
      expect(inform.mock.calls[0]?.[0]).toBe('2 workloads deleted');
      undo();
      expect(model.restored).toEqual(['w2', 'w3']);
    });

    it('bring back only what was deleted', async () => {
      model.requests.delete.mockRejectedValueOnce(refusal('It runs.'));
      const undo = await remove('w1', 'w2');
      expect(inform.mock.calls[0]?.[0]).toBe('1 workload deleted');
      undo();
      expect(model.restored).toEqual(['w2']);
    });

    it('offer nothing to bring back where nothing was deleted', async () => {
      model.requests.delete.mockRejectedValue(refusal('It runs.'));
      await remove('w1');
      expect(inform).not.toHaveBeenCalled();
      expect(notify).toHaveBeenCalledWith('It runs.', { autoClose: false });
    });

    it('say so where it is too late to bring back', async () => {
      const undo = await remove('w2');
      model.requests.restore.mockRejectedValueOnce(
        refusal('It is gone for good.')
      );
      undo();
      await new Promise(resolve => setTimeout(resolve));
      expect(notify).toHaveBeenCalledWith('It is gone for good.', {
        autoClose: false
      });
    });
  });
});

describe('acting on many', () => {
  it('does at most six at once, and all in the end', async () => {
    const ids = Array.from({ length: 40 }, (_, index) => `w${index}`);
    let now = 0;
    let most = 0;
    const { done, refusals } = await actOn(ids, async () => {
      now += 1;
      most = Math.max(most, now);
      await Promise.resolve();
      now -= 1;
    });
    expect(most).toBe(6);
    expect([...done].sort()).toEqual([...ids].sort());
    expect(refusals).toEqual([]);
  });

  it('goes on after a refusal, and throws what is a fault', async () => {
    const act = (id: string): Promise<void> =>
      id === 'b' ? Promise.reject(refusal(id)) : Promise.resolve();
    const { done, refusals } = await actOn(['a', 'b', 'c'], act);
    expect(done).toEqual(['a', 'c']);
    expect(refusals.map(({ message }) => message)).toEqual(['b']);
    const fault = actOn(['a'], () => Promise.reject(new TypeError('ours')));
    await expect(fault).rejects.toThrow('ours');
  });

  it('tells one refusal in its own words, several with their number', () => {
    tellRefusals({ done: ['a'], refusals: [] }, trans);
    expect(notify).not.toHaveBeenCalled();
    tellRefusals({ done: [], refusals: [refusal('No.', 'Wait.')] }, trans);
    expect(notify.mock.calls[0]?.[0]).toBe('No. Wait.');
    const two = [refusal('No.'), refusal('Never.')];
    tellRefusals({ done: ['a'], refusals: two }, trans);
    expect(notify.mock.calls[1]?.[0]).toBe('2 of 3 refused: No.');
  });

  it('shows a refusal, and throws what is a fault', async () => {
    await tell(Promise.resolve());
    expect(notify).not.toHaveBeenCalled();
    await tell(Promise.reject(refusal('No.')));
    expect(notify).toHaveBeenCalledWith('No.', { autoClose: false });
    await expect(tell(Promise.reject(new TypeError('ours')))).rejects.toThrow();
  });
});

describe('choosing', () => {
  it('is by name and state, live ones first, and tells those of one name apart', async () => {
    const ended = workload({ id: 'w2', state: 'failed', ended: 5 });
    answerWith('digits-1 (failed)');
    const chosen = await chooseWorkload([ended, workload()], 'Which?', trans);
    const [question] = choose.mock.calls[0] ?? [];
    expect(question?.title).toBe('Which?');
    expect(question?.items).toEqual([
      'digits-1 (running)',
      'digits-1 (failed)'
    ]);
    expect(chosen).toBe('w2');
  });

  it('of none gives none', async () => {
    answerWith(null);
    expect(await chooseWorkload([workload()], '', trans)).toBeNull();
    expect(await chooseName(['a'], 'Which?')).toBeNull();
    answerWith('a');
    expect(await chooseName(['a'], 'Which?')).toBe('a');
  });

  it('tells apart two of one name and state', async () => {
    const twins = [
      workload({ id: 'w1', created: 1 }),
      workload({ id: 'w2', created: 2 })
    ];
    answerWith(null);
    await chooseWorkload(twins, '', trans);
    const items = choose.mock.calls[0]?.[0].items ?? [];
    expect(new Set(items).size).toBe(2);
    answerWith(items[1] ?? null);
    expect(await chooseWorkload(twins, '', trans)).toBe('w1');
  });
});
