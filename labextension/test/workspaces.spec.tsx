import { Dialog, InputDialog, Notification } from '@jupyterlab/apputils';
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { CommandIDs, NO_ARGS } from '../src/commands';
import { Workspaces as Section } from '../src/components/Workspaces';
import { EngineError } from '../src/model/api';
import { workspacesPlugin } from '../src/plugins/workspaces';
import type { IWorkload, IWorkspace } from '../src/wire';
import { FakeApp } from './helpers/fakeApp';
import { liveModel, workspacesOf } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { activity, workload } from './helpers/sample';
import { fakeActions, trans } from './helpers/views';

const running = workload({ name: 'digits', kind: 'workspace' });

function workspace(
  name: string,
  now: IWorkload | null,
  changes: Partial<IWorkspace> = {}
): IWorkspace {
  return {
    name,
    kernelspec: `workspace-${name}`,
    display_name: `Workspace ${name} (0.5)`,
    command: ['python'],
    folder: '/home/me',
    project: 'default',
    request: { gpu: '0.5' },
    preemptible: false,
    priority: null,
    max_time_s: 0,
    workload: now,
    ...changes
  };
}

describe('the section of workspaces', () => {
  function show(model: FakeModel): ReturnType<typeof fakeActions> {
    const actions = fakeActions();
    const workspaces = workspacesOf(model);
    render(
      <Section
        workspaces={workspaces}
        actions={actions}
        trans={trans}
        isVisible
        now={1730}
      />
    );
    return actions;
  }

  it('says what one is where there is none, and makes one', async () => {
    const actions = show(liveModel());
    expect(screen.getByText(/goes on when its notebook/)).toBeVisible();
    await userEvent.click(
      screen.getByRole('button', { name: 'New workspace' })
    );
    expect(actions.newWorkspace).toHaveBeenCalledTimes(1);
  });

  it('shows what each is now, for how long it is idle, and what can be done', async () => {
    const idle = { ...running, activity: activity() };
    const model = liveModel({ workloads: [idle] });
    model.workspaces = [workspace('digits', idle), workspace('other', null)];
    const actions = show(model);
    const [digits, other] = await screen.findAllByRole('listitem');
    expect(digits).toHaveTextContent('running · idle 12:00');
    expect(other).toHaveTextContent('not started');
    for (const name of ['Open', 'Copy', 'Delete']) {
      const label = new RegExp(`${name} the workspace digits`);
      const button =
        name === 'Open'
          ? screen.getByTitle(label)
          : screen.getByRole('button', { name: label });
      await userEvent.click(button);
    }
    expect(actions.openWorkspace).toHaveBeenCalledWith('digits');
    expect(actions.copyWorkspace).toHaveBeenCalledWith('digits');
    expect(actions.deleteWorkspace).toHaveBeenCalledWith('digits');
    await userEvent.click(
      screen.getByRole('button', { name: 'Suspend the workspace digits' })
    );
    expect(actions.suspend).toHaveBeenCalledWith(idle);
    expect(
      screen.queryByRole('button', { name: 'Suspend the workspace other' })
    ).toBeNull();
  });

  it('resumes one that is suspended', async () => {
    const suspended = { ...running, state: 'suspended' as const };
    const model = liveModel({ workloads: [suspended] });
    model.workspaces = [workspace('digits', suspended)];
    const actions = show(model);
    await userEvent.click(
      await screen.findByRole('button', { name: 'Resume the workspace digits' })
    );
    expect(actions.resume).toHaveBeenCalledWith(suspended);
  });

  it('asks again when a workspace changes its state, and keeps what it knew where nobody answers', async () => {
    const model = liveModel({ workloads: [running] });
    model.workspaces = [workspace('digits', running)];
    show(model);
    expect(await screen.findByRole('listitem')).toHaveTextContent('running');
    model.requests.workspaces.mockRejectedValueOnce(
      new EngineError({ code: 'gone', message: 'Gone.', hint: '' })
    );
    model.tell({
      epoch: 'a',
      seq: 1,
      type: 'workload',
      workload: { ...running, state: 'completed', ended: 1041 }
    });
    expect(model.requests.workspaces).toHaveBeenCalledTimes(2);
    expect(await screen.findByText('not started')).toBeVisible();
  });
});

describe('the commands for workspaces', () => {
  const refreshSpecs = jest.fn(() => Promise.resolve());
  const create = jest.fn();
  let app: FakeApp;
  let model: FakeModel;

  beforeEach(() => {
    jest.restoreAllMocks();
    create.mockReset();
    app = new FakeApp();
    Object.assign(app.serviceManager, { kernelspecs: { refreshSpecs } });
    app.commands.addCommand('notebook:create-new', {
      describedBy: { args: NO_ARGS },
      execute: create
    });
    model = liveModel({ workloads: [running] });
    model.workspaces = [workspace('digits', running)];
    const frontEnd: JupyterFrontEnd = app.frontEnd;
    void workspacesPlugin.activate(frontEnd, model, null, null);
  });

  it('make one of what is given, and show a notebook on it', async () => {
    model.requests.createWorkspace.mockResolvedValue(workspace('new', running));
    const args = { name: 'new', gpu: '0.25', project: 'vision' };
    await app.commands.execute(CommandIDs.newWorkspace, args);
    expect(model.requests.createWorkspace).toHaveBeenCalledWith(args);
    expect(create).toHaveBeenCalledWith({ kernelName: 'workspace-new' });
  });

  it('open the one that the user chooses', async () => {
    const choose = jest.spyOn(InputDialog, 'getItem').mockResolvedValue({
      value: 'digits',
      button: Dialog.okButton(),
      isChecked: null
    });
    model.requests.openWorkspace.mockResolvedValue(
      workspace('digits', running)
    );
    await app.commands.execute(CommandIDs.openWorkspace);
    expect(choose.mock.calls[0]?.[0].items).toEqual(['digits']);
    expect(create).toHaveBeenCalledWith({ kernelName: 'workspace-digits' });
  });

  it('say so where it waits, and open no notebook that would be refused', async () => {
    const inform = jest.spyOn(Notification, 'info').mockReturnValue('');
    const waiting = { ...running, state: 'pending' as const };
    model.requests.openWorkspace.mockResolvedValue(
      workspace('digits', waiting)
    );
    const args = { workspace: 'digits' };
    await app.commands.execute(CommandIDs.openWorkspace, args);
    expect(inform.mock.calls[0]?.[0]).toMatch(/digits waits/);
    expect(create).not.toHaveBeenCalled();
  });

  it('copy one with what is given', async () => {
    model.requests.copyWorkspace.mockResolvedValue(workspace('b', running));
    const args = { workspace: 'digits', name: 'b' };
    await app.commands.execute(CommandIDs.copyWorkspace, args);
    expect(model.requests.copyWorkspace).toHaveBeenCalledWith('digits', {
      name: 'b'
    });
  });

  it('tell what the engine refuses', async () => {
    const notify = jest.spyOn(Notification, 'error').mockReturnValue('');
    model.requests.openWorkspace.mockRejectedValue(
      new EngineError({ code: 'conflict', message: 'No.', hint: 'Wait.' })
    );
    const args = { workspace: 'digits' };
    await app.commands.execute(CommandIDs.openWorkspace, args);
    await waitFor(() => {
      expect(notify).toHaveBeenCalledTimes(1);
    });
  });
});
