import {
  Dialog,
  InputDialog,
  Notification,
  showDialog
} from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';

import { ask } from '../src/ask';
import { CommandIDs, NO_ARGS } from '../src/commands';
import { EngineError } from '../src/model/api';
import { commandsPlugin } from '../src/plugins/commands';
import { leasePlugin } from '../src/plugins/lease';
import type { Values } from '../src/submission/filling';
import { FakeApp } from './helpers/fakeApp';
import { liveModel } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { environment, queue, template, workload } from './helpers/sample';

jest.mock('../src/ask', () => ({ ask: jest.fn() }));
jest.mock('@jupyterlab/apputils', () => ({
  ...jest.requireActual<object>('@jupyterlab/apputils'),
  InputDialog: { getItem: jest.fn() },
  Notification: { error: jest.fn(), info: jest.fn() },
  showDialog: jest.fn()
}));

const asked = jest.mocked(ask);
const choose = jest.mocked(InputDialog.getItem);
const dialog = jest.mocked(showDialog);
const notify = jest.mocked(Notification.error);
const inform = jest.mocked(Notification.info);

const kernel = workload({ name: 'notebook', kind: 'workspace' });
const refusal = new EngineError({
  code: 'not_allowed',
  message: 'gpu is 2 and project vision says at most 0.5.',
  hint: 'Ask for less.'
});

/** A notebook whose kernel has this id. */
function notebook(id: string | null) {
  const path = 'demo.ipynb';
  const session = id === null ? null : { kernel: { id, name: 'python3' } };
  return {
    title: { label: path },
    sessionContext: {
      session,
      changeKernel: jest.fn(() => Promise.resolve()),
      kernelChanged: new Signal<object, void>({})
    }
  };
}

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
    workloads: [kernel],
    queues: [queue({ name: 'lab' }), queue({ name: 'vision', parent: 'lab' })]
  });
});

describe('what a notebook has of a kernel', () => {
  let notebooks: { currentWidget: ReturnType<typeof notebook> | null };
  beforeEach(() => {
    notebooks = { currentWidget: notebook('k1') };
    model.leases = [{ kernel: 'k1', workload: 'w1' }];
    void leasePlugin.activate(app.frontEnd, model, notebooks, null, null);
  });

  /** Let it be asked which workload each kernel is: one has just started. */
  async function know(): Promise<void> {
    const starting = { ...kernel, state: 'initializing' as const };
    const at = { type: 'workload', epoch: 'a' } as const;
    model.tell({ ...at, seq: 1, workload: starting });
    model.tell({ ...at, seq: 2, workload: kernel });
    await new Promise(resolve => setTimeout(resolve));
  }

  it('can be released once it is known to hold something', async () => {
    expect(app.commands.isEnabled(CommandIDs.releaseGpu)).toBe(false);
    await know();
    expect(app.commands.isEnabled(CommandIDs.releaseGpu)).toBe(true);
    notebooks.currentWidget = notebook('k2');
    expect(app.commands.isEnabled(CommandIDs.releaseGpu)).toBe(false);
    notebooks.currentWidget = null;
    expect(app.commands.isEnabled(CommandIDs.releaseGpu)).toBe(false);
    const args = { workload: 'w1' };
    expect(app.commands.isEnabled(CommandIDs.releaseGpu, args)).toBe(true);
  });

  it.each([
    [true, ['w1']],
    [false, []]
  ])('is released where the user agrees: %s', async (accept, suspended) => {
    await know();
    agree(accept);
    await app.commands.execute(CommandIDs.releaseGpu);
    expect(model.suspended).toEqual(suspended);
  });

  it('is left alone where it has vanished meanwhile', async () => {
    await app.commands.execute(CommandIDs.releaseGpu, { workload: 'gone' });
    expect(dialog).not.toHaveBeenCalled();
  });

  it('says why it cannot be released', async () => {
    agree(true);
    model.requests.suspend.mockRejectedValueOnce(refusal);
    await app.commands.execute(CommandIDs.releaseGpu, { workload: 'w1' });
    expect(notify).toHaveBeenCalledWith(`${refusal.message} ${refusal.hint}`, {
      autoClose: false
    });
  });

  it('starts in the current notebook on what the arguments say', async () => {
    model.requests.leaseKernel.mockResolvedValue({
      name: 'half',
      display_name: ''
    });
    await app.commands.execute(CommandIDs.startKernel, {
      gpu: '0.5',
      environment: 'torch',
      preemptible: true
    });
    expect(model.requests.leaseKernel).toHaveBeenCalledWith({
      base: 'python3',
      gpu: '0.5',
      preemptible: true,
      environment: 'torch'
    });
    expect(
      notebooks.currentWidget?.sessionContext.changeKernel
    ).toHaveBeenCalledWith({ name: 'half' });
    expect(created).not.toHaveBeenCalled();
  });

  it('is asked for with templates for kernels, and environments', async () => {
    model.catalog = {
      templates: [
        template({ name: 'night', kind: 'training' }),
        template({ name: 'lab', kind: 'workspace' }),
        template({ name: 'any' })
      ],
      environments: [environment()]
    };
    answer({ gpu: '', gpu_memory_mib: '2048', environment: 'torch' });
    model.requests.leaseKernel.mockResolvedValue({
      name: 'half',
      display_name: ''
    });
    await app.commands.execute(CommandIDs.startKernel);
    const { fields, catalog } = asked.mock.calls[0]?.[0] ?? {};
    expect(catalog).toBe(model.catalog);
    expect(fields?.[0]?.schema?.enum).toEqual(['', 'lab', 'any']);
    expect(fields?.[1]?.schema?.enum).toEqual(['', 'torch']);
    expect(model.requests.leaseKernel).toHaveBeenCalledWith({
      base: 'python3',
      gpu_memory_mib: 2048,
      preemptible: false,
      environment: 'torch'
    });
  });

  it('says why it cannot start so', async () => {
    model.requests.leaseKernel.mockRejectedValueOnce(refusal);
    await app.commands.execute(CommandIDs.startKernel, { gpu: '2' });
    expect(notify.mock.calls[0]?.[0]).toMatch(/at most 0.5/);
    expect(refreshSpecs).not.toHaveBeenCalled();
  });
});

describe('the share of a workload', () => {
  beforeEach(() => {
    void commandsPlugin.activate(app.frontEnd, model, null, null);
    model.requests.resize.mockResolvedValue({
      workload: kernel,
      applied: 'now',
      reason: ''
    });
  });

  it('is changed to what is given', async () => {
    await app.commands.execute(CommandIDs.resizeWorkload, {
      workload: 'w1',
      gpu: '0.25'
    });
    expect(model.requests.resize.mock.calls[0]?.[1]).toMatchObject({
      gpu: '0.25'
    });
    expect(asked).not.toHaveBeenCalled();
  });

  it('is changed of the one that the user chooses, to what they say', async () => {
    choose.mockResolvedValue({
      value: 'notebook (running)',
      button: {} as never,
      isChecked: null
    });
    answer({ gpu: '1' });
    await app.commands.execute(CommandIDs.resizeWorkload);
    expect(model.requests.resize.mock.calls[0]).toEqual([
      'w1',
      expect.objectContaining({ gpu: 1 })
    ]);
  });

  it('is asked for of no workload that has vanished', async () => {
    await app.commands.execute(CommandIDs.resizeWorkload, { workload: 'gone' });
    expect(asked).not.toHaveBeenCalled();
    expect(model.requests.resize).not.toHaveBeenCalled();
  });

  it('can be changed while there is one of mine that lives', () => {
    const { commands } = app;
    expect(commands.isEnabled(CommandIDs.resizeWorkload)).toBe(true);
    model.tell({
      type: 'workload',
      epoch: 'a',
      seq: 1,
      workload: { ...kernel, state: 'completed', ended: 5 }
    });
    expect(commands.isEnabled(CommandIDs.resizeWorkload)).toBe(false);
    const args = { workload: 'w1' };
    expect(commands.isEnabled(CommandIDs.resizeWorkload, args)).toBe(true);
  });

  it('says why it cannot be changed', async () => {
    model.requests.resize.mockRejectedValueOnce(refusal);
    await app.commands.execute(CommandIDs.resizeWorkload, {
      workload: 'w1',
      gpu: '2'
    });
    expect(notify.mock.calls[0]?.[0]).toMatch(/at most 0.5/);
    expect(inform).not.toHaveBeenCalled();
  });
});
