import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';
import { act, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { ask } from '../src/ask';
import { CommandIDs, NO_ARGS } from '../src/commands';
import { LeaseButton } from '../src/components/LeaseButton';
import { KernelLeases } from '../src/kernels/leases';
import { openLeaseMenu } from '../src/kernels/menu';
import { release } from '../src/kernels/release';
import { resize } from '../src/kernels/resize';
import { startKernel } from '../src/kernels/startKernel';
import { EngineError } from '../src/model/api';
import type { IWorkload } from '../src/wire';
import { FakeApp } from './helpers/fakeApp';
import { liveModel } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { queue, verdict, workload } from './helpers/sample';
import { frame, trans } from './helpers/views';

jest.mock('../src/ask', () => ({ ask: jest.fn() }));
jest.mock('@jupyterlab/apputils', () => ({
  ...jest.requireActual<object>('@jupyterlab/apputils'),
  Notification: { error: jest.fn(), info: jest.fn() },
  showDialog: jest.fn()
}));

const asked = jest.mocked(ask);
const inform = jest.mocked(Notification.info);
const dialog = jest.mocked(showDialog);
const kernel = workload({ kind: 'workspace', name: 'notebook' });

beforeEach(() => {
  jest.clearAllMocks();
});

describe('which workload a kernel is', () => {
  let model: FakeModel;
  let leases: KernelLeases;

  function becomes(state: IWorkload['state'], seq: number): void {
    const now = { ...kernel, state };
    model.tell({ epoch: 'a', seq, type: 'workload', workload: now });
  }

  beforeEach(() => {
    model = liveModel({ workloads: [kernel] });
    model.leases = [{ kernel: 'k1', workload: 'w1' }];
    leases = new KernelLeases(model);
  });

  it('is asked for, and told to those who listen', async () => {
    const changed = jest.fn();
    leases.changed.connect(changed);
    expect(leases.workloadOf('k1')).toBeNull();
    await leases.refresh();
    expect(leases.workloadOf('k1')?.id).toBe('w1');
    expect(leases.workloadOf('k2')).toBeNull();
    expect(leases.workloadOf(null)).toBeNull();
    expect(changed).toHaveBeenCalledTimes(1);
  });

  it('is asked once more where something has changed meanwhile', async () => {
    const first = leases.refresh();
    await Promise.all([leases.refresh(), leases.refresh(), first]);
    expect(model.requests.leases).toHaveBeenCalledTimes(2);
  });

  it('is asked for anew when a kernel comes or goes, not for each of its figures', () => {
    becomes('running', 1);
    expect(model.requests.leases).toHaveBeenCalledTimes(0);
    becomes('suspended', 2);
    expect(model.requests.leases).toHaveBeenCalledTimes(1);
  });

  it('stays as it was known where nobody answers, and faults are thrown', async () => {
    await leases.refresh();
    const lost = new EngineError({ code: 'lost', message: 'Lost.', hint: '' });
    model.requests.leases.mockRejectedValueOnce(lost);
    await leases.refresh();
    expect(leases.workloadOf('k1')?.id).toBe('w1');
    model.requests.leases.mockRejectedValueOnce(new TypeError('ours'));
    await expect(leases.refresh()).rejects.toThrow('ours');
  });

  it('is asked for no more once nobody wants it', () => {
    leases.dispose();
    leases.dispose();
    expect(leases.isDisposed).toBe(true);
    becomes('suspended', 1);
    expect(model.requests.leases).toHaveBeenCalledTimes(0);
  });
});

describe('the button of a kernel', () => {
  function show(lease: IWorkload | null, open = jest.fn()): jest.Mock {
    render(
      <LeaseButton
        model={liveModel()}
        lease={() => lease}
        trans={trans}
        isVisible
        open={open}
      />
    );
    return open;
  }

  it.each([
    [null, 'no GPU'],
    [{ ...kernel, state: 'stopped' as const, ended: 1041 }, 'no GPU'],
    [{ ...kernel, state: 'suspended' as const }, 'suspended'],
    [
      {
        ...kernel,
        state: 'pending' as const,
        verdict: verdict({ queue_position: 2 })
      },
      'waiting, 2nd'
    ],
    [kernel, '0.5 GPU']
  ])('says what it holds', (lease, words) => {
    show(lease);
    expect(
      screen.getByRole('button', { name: `GPU of this kernel: ${words}` })
    ).toBeVisible();
  });

  it('opens what can be done below itself', async () => {
    const open = show(kernel);
    const button = screen.getByRole('button');
    await userEvent.click(button);
    expect(open).toHaveBeenCalledWith(button);
  });
});

describe('the menu of a kernel', () => {
  function labels(lease: IWorkload | null): (string | null)[] {
    const commands = new CommandRegistry();
    for (const id of Object.values(CommandIDs)) {
      commands.addCommand(id, {
        label: id,
        describedBy: { args: NO_ARGS },
        execute: () => undefined
      });
    }
    openLeaseMenu(commands, lease, document.createElement('button'));
    const items = document.querySelectorAll('.lm-Menu-itemLabel');
    return [...items].map(each => each.textContent);
  }

  afterEach(async () => {
    await act(async () => {
      document.querySelector('.lm-Menu')?.remove();
      await frame();
    });
  });

  it.each([
    [null, [CommandIDs.startKernel]],
    [
      kernel,
      [
        CommandIDs.resizeWorkload,
        CommandIDs.releaseGpu,
        CommandIDs.startKernel,
        CommandIDs.openDetails
      ]
    ],
    [
      { ...kernel, state: 'suspended' as const },
      [
        CommandIDs.resizeWorkload,
        CommandIDs.resumeWorkload,
        CommandIDs.startKernel,
        CommandIDs.openDetails
      ]
    ]
  ])('has what can be done', (lease, ids) => {
    expect(labels(lease)).toEqual(ids);
  });
});

describe('a kernel that gives its devices back', () => {
  it.each([true, false])('is suspended where the user agrees', async accept => {
    const model = liveModel({ workloads: [kernel] });
    const button = accept ? Dialog.okButton() : Dialog.cancelButton();
    dialog.mockResolvedValue({ button, isChecked: null, value: null });
    await release(model, kernel, trans);
    expect(dialog.mock.calls[0]?.[0]?.title).toBe(
      'Release the GPU of notebook?'
    );
    expect(model.suspended).toEqual(accept ? ['w1'] : []);
  });
});

describe('another share', () => {
  const model = liveModel({ workloads: [kernel] });

  it('is asked for as it is given, in place of any other form', async () => {
    model.requests.resize.mockResolvedValue({
      workload: kernel,
      applied: 'now',
      reason: ''
    });
    const memory = {
      ...kernel,
      request: { gpu_memory_mib: 4096, cpu_milli: 2 }
    };
    await resize(model, memory, '0.25', trans);
    expect(model.requests.resize).toHaveBeenCalledWith(
      'w1',
      expect.objectContaining({ gpu: '0.25', gpu_memory_mib: 0, cpu_milli: 2 })
    );
    expect(inform).toHaveBeenCalledWith('notebook has 0.25 GPU now.');
  });

  it('is what the user says, and from when on it is held', async () => {
    asked.mockResolvedValue({ gpu: '2' });
    model.requests.resize.mockResolvedValue({
      workload: kernel,
      applied: 'next_start',
      reason: 'it has other devices'
    });
    await resize(model, kernel, null, trans);
    expect(asked.mock.calls[0]?.[0].first).toEqual({ gpu: '0.5' });
    expect(inform).toHaveBeenCalledWith(
      'notebook has 2 GPU from its next start on: it has other devices.'
    );
  });

  it('is none where the user gives up', async () => {
    model.requests.resize.mockClear();
    asked.mockResolvedValue(null);
    await resize(model, kernel, null, trans);
    expect(model.requests.resize).not.toHaveBeenCalled();
  });
});

describe('a kernel that starts on a share', () => {
  const refreshSpecs = jest.fn(() => Promise.resolve());
  const create = jest.fn();
  let app: FakeApp;
  let model: FakeModel;

  function notebook(changeKernel: () => Promise<void>): never {
    const path = 'demo.ipynb';
    const session = { kernel: { name: 'python3' } };
    const sessionContext = { session, changeKernel };
    return { sessionContext, title: { label: path } } as never;
  }

  beforeEach(() => {
    app = new FakeApp();
    const specs = { default: 'python3' };
    Object.assign(app.serviceManager, { kernelspecs: { refreshSpecs, specs } });
    app.commands.addCommand('notebook:create-new', {
      describedBy: { args: NO_ARGS },
      execute: create
    });
    model = liveModel({
      queues: [
        queue({ name: 'lab', parent: null }),
        queue({ name: 'vision', parent: 'lab' })
      ]
    });
    model.requests.leaseKernel.mockResolvedValue({
      name: 'half',
      display_name: 'Python 3 (0.5 GPU)'
    });
  });

  it('gets a notebook of its own where there is none', async () => {
    const start = { app: app.frontEnd, model, notebook: null, trans };
    await startKernel(start, { gpu: '0.5', project: 'vision' });
    expect(model.requests.leaseKernel).toHaveBeenCalledWith({
      base: 'python3',
      gpu: '0.5',
      project: 'vision',
      preemptible: false
    });
    expect(refreshSpecs).toHaveBeenCalledTimes(1);
    expect(create).toHaveBeenCalledWith({ kernelName: 'half' });
  });

  it("takes the place of a notebook's own, once the user has said on what", async () => {
    asked.mockResolvedValue({ gpu: '2', queue: '', preemptible: 'yes' });
    const change = jest.fn(() => Promise.reject(new Error('told elsewhere')));
    const start = {
      app: app.frontEnd,
      model,
      notebook: notebook(change),
      trans
    };
    await startKernel(start, {});
    const question = asked.mock.calls[0]?.[0];
    expect(question?.note).toMatch(/demo.ipynb starts anew/);
    const project = question?.fields.find(({ field }) => field === 'queue');
    expect(project?.schema?.enum).toEqual(['', 'vision']);
    expect(
      question?.foresee?.({ gpu: '2', queue: 'vision', preemptible: 'yes' })
    ).toMatchObject({
      kind: 'workspace',
      queue: 'vision',
      preemptible: true,
      request: { gpu: 2 }
    });
    expect(model.requests.leaseKernel).toHaveBeenCalledWith({
      base: 'python3',
      gpu: 2,
      preemptible: true
    });
    expect(change).toHaveBeenCalledWith({ name: 'half' });
  });

  it('has the priority and the longest time that are chosen', async () => {
    asked.mockResolvedValue({ gpu: '1', priority: '40', max_run_s: '600' });
    const start = { app: app.frontEnd, model, notebook: null, trans };
    await startKernel(start, {});
    const { more = [], first, foresee } = asked.mock.calls[0]?.[0] ?? {};
    const [priority] = more;
    expect(priority?.names).toMatchObject({ '40': 'low', '150': 'very-high' });
    expect(first).toMatchObject({ priority: '', max_run_s: '' });
    const spec = foresee?.({ gpu: '1', priority: '40', max_run_s: '600' });
    expect(spec).toMatchObject({ priority: 40, max_run_s: 600 });
    expect(spec).not.toHaveProperty('preemptible');
    expect(foresee?.({ priority: '40', preemptible: 'yes' })).toMatchObject({
      preemptible: true
    });
    expect(model.requests.leaseKernel).toHaveBeenCalledWith({
      base: 'python3',
      gpu: 1,
      preemptible: false,
      priority: 'low',
      max_time_s: 600
    });
  });

  it('is none where the user gives up', async () => {
    asked.mockResolvedValue(null);
    const start = { app: app.frontEnd, model, notebook: null, trans };
    await startKernel(start, {});
    expect(model.requests.leaseKernel).not.toHaveBeenCalled();
  });
});
