import type { IStateDB } from '@jupyterlab/statedb';
import type {
  PartialJSONObject,
  ReadonlyPartialJSONObject
} from '@lumino/coreutils';

import { ask } from '../src/ask';
import { CommandIDs, NO_ARGS } from '../src/commands';
import { EngineError } from '../src/model/api';
import { submitPlugin } from '../src/plugins/submit';
import type { Values } from '../src/submission/filling';
import { FakeApp } from './helpers/fakeApp';
import { liveModel } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { environment, template, workload } from './helpers/sample';

jest.mock('../src/ask', () => ({ ask: jest.fn() }));

const asked = jest.mocked(ask);
const SCHEMA = {
  $defs: { WorkloadSpec: { properties: { cwd: { default: '/root' } } } }
};
const REFUSAL = new EngineError({
  code: 'not_allowed',
  message: 'gpu is 2 and cluster says at most 1.',
  hint: 'Ask for less.'
});

describe('submitting', () => {
  const opened = jest.fn();
  let app: FakeApp;
  let model: FakeModel;
  let saved: PartialJSONObject | undefined;
  let state: jest.Mocked<Pick<IStateDB, 'fetch' | 'save'>>;

  beforeEach(() => {
    jest.clearAllMocks();
    asked.mockReset();
    saved = undefined;
    app = new FakeApp();
    app.commands.addCommand(CommandIDs.openDetails, {
      describedBy: { args: NO_ARGS },
      execute: opened
    });
    model = liveModel({ workloads: [workload()] });
    model.requests.submissionSchema.mockResolvedValue(SCHEMA);
    model.requests.submit.mockResolvedValue(workload({ id: 'w2' }));
    state = {
      fetch: jest.fn<Promise<PartialJSONObject | undefined>, [string]>(() =>
        Promise.resolve(saved)
      ),
      save: jest.fn((_, value) => {
        saved = value as PartialJSONObject;
        return Promise.resolve();
      })
    };
    const db = state as unknown as IStateDB;
    void submitPlugin.activate(app.frontEnd, model, null, null, db);
  });

  /** Let the user answer each question with these changes, in turn; null gives up. */
  function answers(...all: (Values | null)[]): void {
    for (const each of all) {
      asked.mockImplementationOnce(({ first }) =>
        Promise.resolve(each === null ? null : { ...first, ...each })
      );
    }
  }

  /** What the form began with, the last time it was shown. */
  function first(): Values {
    const question = asked.mock.calls.at(-1)?.[0];
    if (question === undefined) {
      throw new Error('nothing was asked');
    }
    return question.first;
  }

  async function submit(args: ReadonlyPartialJSONObject = {}): Promise<void> {
    await app.commands.execute(CommandIDs.newWorkload, args);
  }

  it('sends what the form holds, and shows what became of it', async () => {
    answers({ command: 'python a.py', gpu: '0.5', tasks: '2' });
    await submit();
    expect(model.requests.submit).toHaveBeenCalledWith({
      command: ['python', 'a.py'],
      cwd: '/root',
      tasks: 2,
      request: { gpu: '0.5' }
    });
    expect(opened).toHaveBeenCalledWith({ workload: 'w2' });
  });

  it('sends nothing and remembers nothing where the user gives up', async () => {
    answers(null);
    await submit();
    expect(model.requests.submit).not.toHaveBeenCalled();
    expect(state.save).not.toHaveBeenCalled();
    expect(opened).not.toHaveBeenCalled();
  });

  it('begins with what was submitted last, but for its name and template', async () => {
    answers({
      command: 'python a.py',
      name: 'one',
      gpu: '0.25',
      template: 'quick'
    });
    await submit();
    answers(null);
    await submit();
    expect(first()).toMatchObject({
      command: 'python a.py',
      gpu: '0.25',
      name: '',
      template: ''
    });
  });

  it('begins with the command that it is given', async () => {
    saved = { command: 'python a.py', gpu: '0.25' };
    answers(null);
    await submit({ command: 'python b.py' });
    expect(first()).toMatchObject({ command: 'python b.py', gpu: '0.25' });
  });

  it('begins with what it can understand of what was remembered', async () => {
    saved = { command: 7, gpu: '2', gone: 'x', cwd: null };
    answers(null);
    await submit();
    expect(first()).toMatchObject({ command: '', gpu: '2', cwd: '/root' });
    expect(first()).not.toHaveProperty('gone');
  });

  it('begins with a copy, with a change, and keeps what the form has no field for', async () => {
    model.requests.specification.mockResolvedValue({
      command: ['python', 'my file.py'],
      cwd: '/there',
      name: 'one',
      env: { A: 'b' },
      gang: false,
      request: { gpu: 1, models: ['A100'] }
    });
    answers({});
    const change = { request: { gpu: '0.4' }, min_tasks: null, priority: 90 };
    await submit({ copy: 'w1', change });
    expect(model.requests.specification).toHaveBeenCalledWith('w1');
    expect(first()).toMatchObject({
      command: "python 'my file.py'",
      name: '',
      gpu: '0.4',
      priority: '90'
    });
    expect(model.requests.submit).toHaveBeenCalledWith({
      command: ['python', 'my file.py'],
      cwd: '/there',
      env: { A: 'b' },
      gang: false,
      priority: 90,
      request: { gpu: '0.4' }
    });
  });

  it('asks again with what was typed, and says why, until the engine takes it', async () => {
    model.requests.submit.mockRejectedValueOnce(REFUSAL);
    answers({ command: 'x', gpu: '2' }, { gpu: '1' });
    await submit();
    expect(asked).toHaveBeenCalledTimes(2);
    expect(first()).toMatchObject({ command: 'x', gpu: '2' });
    expect(asked.mock.calls[0]?.[0].refusal).toBeUndefined();
    expect(asked.mock.calls[1]?.[0].refusal).toBe(REFUSAL);
    expect(model.requests.submit).toHaveBeenLastCalledWith(
      expect.objectContaining({ request: { gpu: 1 } })
    );
    expect(opened).toHaveBeenCalledTimes(1);
  });

  it('remembers what was refused, too: it was work to type', async () => {
    model.requests.submit.mockRejectedValueOnce(REFUSAL);
    answers({ command: 'long', gpu: '2' }, null);
    await submit();
    expect(saved).toMatchObject({ command: 'long', gpu: '2' });
    expect(opened).not.toHaveBeenCalled();
  });

  it('hides no fault of its own behind a refusal', async () => {
    model.requests.submit.mockRejectedValueOnce(new TypeError('ours'));
    answers({ command: 'x' });
    await expect(submit()).rejects.toThrow('ours');
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it('offers templates of every kind, and environments', async () => {
    model.catalog = {
      templates: [
        template({ name: 'a', kind: 'training' }),
        template({ name: 'b', kind: 'workspace' })
      ],
      environments: [environment()]
    };
    answers(null);
    await submit();
    const fields = asked.mock.calls[0]?.[0].fields ?? [];
    expect(fields.slice(0, 3).map(({ field }) => field)).toEqual([
      'template',
      'environment',
      'command'
    ]);
    expect(fields[0]?.schema?.enum).toEqual(['', 'a', 'b']);
  });

  it('submits in the environment that was chosen', async () => {
    model.catalog = {
      templates: [],
      environments: [
        environment({ python: '/opt/python', variables: { A: '1' } })
      ]
    };
    answers({ command: 'python3 a.py', environment: 'torch' });
    await submit();
    expect(model.requests.submit).toHaveBeenCalledWith(
      expect.objectContaining({
        command: ['/opt/python', 'a.py'],
        env: { A: '1' }
      })
    );
  });

  it('begins in no environment that there is no longer', async () => {
    saved = { command: 'x', environment: 'torch' };
    answers(null);
    await submit();
    expect(first().environment).toBe('');
    model.catalog = { templates: [], environments: [environment()] };
    answers(null);
    await submit();
    expect(first().environment).toBe('torch');
  });

  it('is offered in the launcher by another name than in menus', () => {
    const { commands } = app;
    const label = (args: ReadonlyPartialJSONObject): string =>
      commands.label(CommandIDs.newWorkload, args);
    expect(label({ isLauncher: true })).toBe('New GPU workload');
    expect(label({})).toBe('New GPU Workload…');
    const launcher = { add: jest.fn() };
    const other = new FakeApp();
    void submitPlugin.activate(other.frontEnd, model, null, launcher, null);
    expect(launcher.add).toHaveBeenCalledWith(
      expect.objectContaining({ command: CommandIDs.newWorkload })
    );
  });
});
