import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';

import { ask } from '../src/ask';
import { CommandIDs, NO_ARGS } from '../src/commands';
import { EngineError } from '../src/model/api';
import { workspacesPlugin } from '../src/plugins/workspaces';
import type { Values } from '../src/submission/filling';
import type { IWorkspace } from '../src/wire';
import { FakeApp } from './helpers/fakeApp';
import { liveModel } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { environment, queue, workload } from './helpers/sample';

jest.mock('../src/ask', () => ({ ask: jest.fn() }));
jest.mock('@jupyterlab/apputils', () => ({
  ...jest.requireActual<object>('@jupyterlab/apputils'),
  Notification: { error: jest.fn(), info: jest.fn() },
  showDialog: jest.fn()
}));

const asked = jest.mocked(ask);
const dialog = jest.mocked(showDialog);
const notify = jest.mocked(Notification.error);
const inform = jest.mocked(Notification.info);

const refusal = new EngineError({
  code: 'not_allowed',
  message: 'gpu is 2 and project vision says at most 0.5.',
  hint: 'Ask for less.'
});

function agree(accept: boolean): void {
  const button = accept ? Dialog.okButton() : Dialog.cancelButton();
  dialog.mockResolvedValue({ button, isChecked: null, value: null });
}

function answer(values: Values | null): void {
  asked.mockImplementationOnce(({ first }) =>
    Promise.resolve(values === null ? null : { ...first, ...values })
  );
}

let app: FakeApp;
let model: FakeModel;
const created = jest.fn();
const refreshSpecs = jest.fn(() => Promise.resolve());

beforeEach(() => {
  jest.clearAllMocks();
  asked.mockReset();
  app = new FakeApp();
  Object.assign(app.serviceManager, {
    kernelspecs: { refreshSpecs, specs: { default: 'python3' } }
  });
  app.commands.addCommand('notebook:create-new', {
    describedBy: { args: NO_ARGS },
    execute: created
  });
  model = liveModel({
    workloads: [],
    queues: [queue({ name: 'lab' }), queue({ name: 'vision', parent: 'lab' })]
  });
});

describe('workspaces', () => {
  const running = workload({ name: 'digits', kind: 'workspace' });
  const digits: IWorkspace = {
    name: 'digits',
    kernelspec: 'workspace-digits',
    display_name: 'Workspace digits (0.5)',
    command: ['python'],
    folder: '/home/me',
    project: 'vision',
    request: { gpu: '0.5' },
    preemptible: true,
    priority: null,
    max_time_s: 0,
    workload: running
  };
  const open = { id: 'nb', sessionContext: { session: {} } };
  const notebooks = {
    find: (test: (panel: unknown) => boolean) => (test(open) ? open : undefined)
  };

  beforeEach(() => {
    open.sessionContext.session = { kernel: { name: 'python3' } };
    model.workspaces = [digits];
    model.requests.createWorkspace.mockResolvedValue(digits);
    model.requests.copyWorkspace.mockResolvedValue(digits);
    model.requests.openWorkspace.mockResolvedValue(digits);
    model.requests.deleteWorkspace.mockResolvedValue(undefined);
    void workspacesPlugin.activate(app.frontEnd, model, notebooks, null);
  });

  const args = { workspace: 'digits' };

  it('are made of what the user says, in an environment', async () => {
    model.catalog = { templates: [], environments: [environment()] };
    answer({
      name: 'new',
      queue: 'vision',
      environment: 'torch',
      priority: '90',
      max_run_s: '60'
    });
    await app.commands.execute(CommandIDs.newWorkspace);
    expect(model.requests.createWorkspace).toHaveBeenCalledWith({
      name: 'new',
      gpu: '0.5',
      project: 'vision',
      preemptible: false,
      priority: 'medium-high',
      max_time_s: 60,
      environment: 'torch'
    });
    expect(refreshSpecs).toHaveBeenCalledTimes(1);
    expect(created).toHaveBeenCalledWith({ kernelName: 'workspace-digits' });
  });

  it('are asked about by their name, and in a project that takes work', async () => {
    answer(null);
    await app.commands.execute(CommandIDs.newWorkspace);
    const { fields = [], foresee } = asked.mock.calls[0]?.[0] ?? {};
    expect(fields.map(({ field }) => field)).toEqual([
      'name',
      'gpu',
      'gpu_memory_mib',
      'queue',
      'preemptible'
    ]);
    expect(fields[3]?.schema?.enum).toEqual(['', 'vision']);
    expect(foresee?.({ name: 'new', gpu: '2', queue: '' })).toEqual({
      command: ['python'],
      cwd: '.',
      name: 'new',
      kind: 'workspace',
      preemptible: false,
      request: { gpu: 2 }
    });
    expect(model.requests.createWorkspace).not.toHaveBeenCalled();
  });

  it('are copied with what they ask for, in no other environment', async () => {
    model.catalog = { templates: [], environments: [environment()] };
    answer({});
    await app.commands.execute(CommandIDs.copyWorkspace, args);
    const { fields = [], first } = asked.mock.calls[0]?.[0] ?? {};
    expect(fields.map(({ field }) => field)).not.toContain('environment');
    expect(first).toEqual({
      name: 'digits-2',
      gpu: '0.5',
      gpu_memory_mib: '',
      queue: 'vision',
      preemptible: 'yes',
      priority: '',
      max_run_s: ''
    });
    expect(model.requests.copyWorkspace).toHaveBeenCalledWith('digits', {
      name: 'digits-2',
      gpu: '0.5',
      project: 'vision',
      preemptible: true,
      priority: null,
      max_time_s: 0
    });
  });

  it.each([
    ['low', true, { preemptible: '', priority: '40' }],
    ['high', true, { preemptible: 'yes', priority: '125' }],
    ['high', false, { preemptible: '', priority: '125' }]
  ] as const)(
    'of priority %s are copied with it and their longest time',
    async (priority, preemptible, first) => {
      model.workspaces = [
        { ...digits, priority, preemptible, max_time_s: 600 }
      ];
      answer({});
      await app.commands.execute(CommandIDs.copyWorkspace, args);
      expect(asked.mock.calls[0]?.[0].first).toMatchObject({
        ...first,
        max_run_s: '600'
      });
      expect(model.requests.copyWorkspace).toHaveBeenCalledWith(
        'digits',
        expect.objectContaining({ priority, max_time_s: 600 })
      );
    }
  );

  it('that ask for device memory are copied with it', async () => {
    model.workspaces = [{ ...digits, request: { gpu_memory_mib: 4096 } }];
    answer({});
    await app.commands.execute(CommandIDs.copyWorkspace, args);
    expect(model.requests.copyWorkspace).toHaveBeenCalledWith('digits', {
      name: 'digits-2',
      gpu_memory_mib: 4096,
      project: 'vision',
      preemptible: true,
      priority: null,
      max_time_s: 0
    });
  });

  it('that have a notebook show that one', async () => {
    open.sessionContext.session = { kernel: { name: 'workspace-digits' } };
    await app.commands.execute(CommandIDs.openWorkspace, args);
    expect(app.activated).toBe('nb');
    expect(created).not.toHaveBeenCalled();
  });

  it('that have none get one', async () => {
    await app.commands.execute(CommandIDs.openWorkspace, args);
    expect(created).toHaveBeenCalledWith({ kernelName: 'workspace-digits' });
    expect(app.activated).toBeNull();
  });

  it('that could not start say that they wait', async () => {
    model.requests.openWorkspace.mockResolvedValue({
      ...digits,
      workload: null
    });
    await app.commands.execute(CommandIDs.openWorkspace, args);
    expect(inform.mock.calls[0]?.[0]).toMatch(/digits waits for its GPU/);
    expect(created).not.toHaveBeenCalled();
  });

  it.each([true, false])('are deleted where the user agrees: %s', async yes => {
    agree(yes);
    await app.commands.execute(CommandIDs.deleteWorkspace, args);
    const [question] = dialog.mock.calls[0] ?? [];
    expect(question?.title).toBe('Delete the workspace digits?');
    expect(question?.body).toMatch(/home.me stays/);
    expect(model.requests.deleteWorkspace.mock.calls).toEqual(
      yes ? [['digits']] : []
    );
  });

  it.each([
    CommandIDs.openWorkspace,
    CommandIDs.copyWorkspace,
    CommandIDs.deleteWorkspace
  ])('that have vanished are left alone by %s', async id => {
    await app.commands.execute(id, { workspace: 'gone' });
    expect(asked).not.toHaveBeenCalled();
    expect(dialog).not.toHaveBeenCalled();
    expect(created).not.toHaveBeenCalled();
  });

  it('say why they cannot be made', async () => {
    model.requests.createWorkspace.mockRejectedValueOnce(refusal);
    await app.commands.execute(CommandIDs.newWorkspace, { name: 'new' });
    expect(notify.mock.calls[0]?.[0]).toMatch(/at most 0.5/);
    expect(created).not.toHaveBeenCalled();
  });
});
