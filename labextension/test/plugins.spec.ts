import { InputDialog, Notification } from '@jupyterlab/apputils';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import type { IStateDB } from '@jupyterlab/statedb';

import plugins from '../src/index';
import { CommandIDs } from '../src/commands';
import { EngineError } from '../src/model/api';
import { EngineModel } from '../src/model/engineModel';
import { analyticsPlugin } from '../src/plugins/analytics';
import { cellsPlugin } from '../src/plugins/cells';
import { commandsPlugin } from '../src/plugins/commands';
import { leasePlugin } from '../src/plugins/lease';
import { modelPlugin } from '../src/plugins/model';
import { panelPlugin } from '../src/plugins/panel';
import { detailsPlugin } from '../src/plugins/details';
import { submitPlugin } from '../src/plugins/submit';
import { statusPlugin } from '../src/plugins/status';
import { tablePlugin } from '../src/plugins/table';
import { workspacesPlugin } from '../src/plugins/workspaces';
import type { AnalyticsWidget } from '../src/widgets/analytics';
import type { TableWidget } from '../src/widgets/table';
import { FakeApp } from './helpers/fakeApp';
import { liveModel, workspacesOf } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { info, workload } from './helpers/sample';

jest.mock('@jupyterlab/apputils', () => ({
  ...jest.requireActual<object>('@jupyterlab/apputils'),
  InputDialog: { getItem: jest.fn() },
  Notification: { error: jest.fn(), info: jest.fn() }
}));

const choose = jest.mocked(InputDialog.getItem);
const notify = jest.mocked(Notification.error);
const inform = jest.mocked(Notification.info);

function answerWith(value: string | null): void {
  choose.mockResolvedValue({
    value,
    button: {} as never,
    isChecked: null
  });
}

describe('the plugins', () => {
  let app: FakeApp;
  let model: FakeModel;

  beforeEach(() => {
    jest.clearAllMocks();
    app = new FakeApp();
    model = liveModel({
      workloads: [
        workload(),
        workload({ id: 'w2', name: 'done', state: 'completed', ended: 1041 }),
        workload({ id: 'w3', name: 'theirs', owner: 'user-b' })
      ]
    });
  });

  function addPanel(): void {
    const workspaces = workspacesOf(model);
    void panelPlugin.activate(
      app.frontEnd,
      model,
      workspaces,
      null,
      null,
      null
    );
  }

  it('say what they are for and start by themselves', () => {
    for (const plugin of plugins) {
      expect(plugin.id).toMatch(/^jupyter-runai:[a-z]+$/);
      expect(plugin.description).toMatch(/^[A-Z].*\.$/);
      expect(plugin.autoStart).toBe(true);
    }
  });

  it('provide the model', () => {
    const provided = modelPlugin.activate(app.frontEnd);
    expect(provided).toBeInstanceOf(EngineModel);
    (provided as EngineModel).dispose();
  });

  describe('the panel', () => {
    it('is in the sidebar, restorable, and shown by a command', async () => {
      const restorer = { add: jest.fn() };
      void panelPlugin.activate(
        app.frontEnd,
        model,
        workspacesOf(model),
        null,
        restorer,
        null
      );
      const [panel] = app.added;
      expect(panel).toMatchObject({ area: 'left', rank: 600 });
      expect(restorer.add).toHaveBeenCalledWith(
        panel?.widget,
        'jp-runai-panel'
      );
      await app.commands.execute(CommandIDs.openPanel);
      expect(app.activated).toBe('jp-runai-panel');
    });

    it('needs neither a translator nor a restorer', () => {
      addPanel();
      expect(app.added).toHaveLength(1);
    });
  });

  describe('a log', () => {
    beforeEach(() => {
      void detailsPlugin.activate(app.frontEnd, model, null, null);
    });

    it('is shown in the main area, once for a workload', async () => {
      await app.commands.execute(CommandIDs.openLog, { workload: 'w1' });
      await app.commands.execute(CommandIDs.openLog, { workload: 'w1' });
      expect(app.added).toHaveLength(1);
      expect(app.added[0]?.area).toBe('main');
      expect(app.added[0]?.widget.title.label).toBe('digits-1');
      expect(app.activated).toBe('jp-runai-details-w1');
      expect(model.followers).toHaveLength(1);
    });

    it('is followed no more when it is closed', async () => {
      await app.commands.execute(CommandIDs.openLog, { workload: 'w1' });
      app.added[0]?.widget.dispose();
      expect(model.followers[0]?.isDisposed).toBe(true);
    });

    it('gets its name when the workload is known, and keeps it', async () => {
      await app.commands.execute(CommandIDs.openLog, { workload: 'w9' });
      const title = app.added[0]?.widget.title;
      expect(title?.label).toBe('w9');
      const next = { epoch: 'a', type: 'workload' } as const;
      model.tell({
        ...next,
        seq: 1,
        workload: workload({ id: 'w9', name: 'late' })
      });
      expect(title?.label).toBe('late');
      model.tell({ type: 'deleted', epoch: 'a', seq: 2, id: 'w9' });
      expect(title?.label).toBe('late');
    });

    it("is one of the user's own where none is named", async () => {
      answerWith('done (completed)');
      await app.commands.execute(CommandIDs.openLog);
      expect(choose.mock.calls[0]?.[0].items).toEqual([
        'digits-1 (running)',
        'done (completed)'
      ]);
      expect(app.activated).toBe('jp-runai-details-w2');
    });

    it('is none where the user chooses none', async () => {
      answerWith(null);
      await app.commands.execute(CommandIDs.openLog);
      expect(app.added).toHaveLength(0);
    });
  });

  describe('the commands', () => {
    const palette = { addItem: jest.fn() };
    const notebooks = { activeCell: null, currentWidget: null };

    beforeEach(() => {
      addPanel();
      void tablePlugin.activate(app.frontEnd, model, null, null, null);
      void detailsPlugin.activate(app.frontEnd, model, null, null);
      void submitPlugin.activate(app.frontEnd, model, null, null, null);
      void analyticsPlugin.activate(app.frontEnd, model, null, null);
      void commandsPlugin.activate(app.frontEnd, model, null, palette);
      void cellsPlugin.activate(app.frontEnd, model, notebooks, null);
      void workspacesPlugin.activate(app.frontEnd, model, null, null);
      void leasePlugin.activate(app.frontEnd, model, notebooks, null, null);
    });

    it('are all there, described, and in the palette', async () => {
      for (const id of Object.values(CommandIDs)) {
        expect(app.commands.hasCommand(id)).toBe(true);
        const { args } = await app.commands.describedBy(id);
        expect(args).toMatchObject({ type: 'object' });
        expect(palette.addItem).toHaveBeenCalledWith(
          expect.objectContaining({ command: id })
        );
      }
    });

    it('stop the workload that they name', async () => {
      const args = { workload: 'w1' };
      expect(app.commands.label(CommandIDs.stopWorkload, args)).toBe(
        'Stop digits-1'
      );
      await app.commands.execute(CommandIDs.stopWorkload, args);
      expect(model.stopped).toEqual(['w1']);
    });

    it('stop the workload that the user chooses of those that live', async () => {
      answerWith('digits-1 (running)');
      await app.commands.execute(CommandIDs.stopWorkload);
      expect(choose.mock.calls[0]?.[0].items).toEqual(['digits-1 (running)']);
      expect(model.stopped).toEqual(['w1']);
    });

    it.each([
      [CommandIDs.suspendWorkload, 'suspended'],
      [CommandIDs.resumeWorkload, 'resumed'],
      [CommandIDs.snoozeWorkload, 'snoozed'],
      [CommandIDs.deleteWorkload, 'deleted']
    ] as const)('%s is for as many as it names', async (id, did) => {
      await app.commands.execute(id, { workloads: ['w1', 'w2'] });
      expect(model[did]).toEqual(['w1', 'w2']);
    });

    it('bring back what was deleted', async () => {
      await app.commands.execute(CommandIDs.deleteWorkload, { workload: 'w2' });
      const [said, options] = inform.mock.calls[0] ?? [];
      expect(said).toBe('1 workload deleted');
      const [undo] = options?.actions ?? [];
      undo?.callback(new MouseEvent('click'));
      expect(model.restored).toEqual(['w2']);
    });

    it('tell of several refusals at once', async () => {
      const refusal = new EngineError({ code: 'x', message: 'No.', hint: '' });
      model.requests.stop.mockRejectedValueOnce(refusal);
      await app.commands.execute(CommandIDs.stopWorkload, {
        workloads: ['w1', 'w2']
      });
      expect(notify).toHaveBeenCalledTimes(1);
      expect(notify).toHaveBeenCalledWith('1 of 2 refused: No.', {
        autoClose: false
      });
    });

    it('cannot stop anything where nothing lives', () => {
      expect(app.commands.isEnabled(CommandIDs.stopWorkload)).toBe(true);
      model.tell({ type: 'deleted', epoch: 'a', seq: 1, id: 'w1' });
      expect(app.commands.isEnabled(CommandIDs.stopWorkload)).toBe(false);
    });

    it('show a refusal with what to do about it', async () => {
      model.requests.stop.mockRejectedValue(
        new EngineError({
          code: 'x',
          message: 'It has ended.',
          hint: 'Look.'
        })
      );
      await app.commands.execute(CommandIDs.stopWorkload, { workload: 'w1' });
      expect(notify).toHaveBeenCalledWith('It has ended. Look.', {
        autoClose: false
      });
    });

    it('do not hide a fault of their own', async () => {
      await expect(
        app.commands.execute(CommandIDs.stopWorkload, { workload: 'w9' })
      ).rejects.toThrow('not known');
      expect(notify).not.toHaveBeenCalled();
    });

    it('change between simulated and real devices', async () => {
      const simulate = jest.spyOn(model, 'simulate');
      await app.commands.execute(CommandIDs.simulateDevices);
      expect(simulate).toHaveBeenLastCalledWith('2xA100-80GB');
      await app.commands.execute(CommandIDs.simulateDevices, {
        devices: '1xT4-16GB'
      });
      expect(simulate).toHaveBeenLastCalledWith('1xT4-16GB');
      await app.commands.execute(CommandIDs.useOwnDevices);
      expect(simulate).toHaveBeenLastCalledWith(null);
    });

    it('offer the change that there is', () => {
      const { commands } = app;
      expect(commands.isVisible(CommandIDs.simulateDevices)).toBe(true);
      expect(commands.isVisible(CommandIDs.useOwnDevices)).toBe(false);
      const simulated = liveModel({ info: info({ simulated: '1xT4-16GB' }) });
      const other = new FakeApp();
      void commandsPlugin.activate(other.frontEnd, simulated, null, null);
      expect(other.commands.isVisible(CommandIDs.simulateDevices)).toBe(false);
      expect(other.commands.isVisible(CommandIDs.useOwnDevices)).toBe(true);
    });
  });

  describe('the table', () => {
    const saved = { order: ['state'], sizing: { name: 99 } };
    const state = {
      fetch: jest.fn(() => Promise.resolve(saved)),
      save: jest.fn(() => Promise.resolve())
    };

    function shown(): TableWidget {
      const widget = app.added[0]?.widget as MainAreaWidget<TableWidget>;
      return widget.content;
    }

    beforeEach(() => {
      const db = state as unknown as IStateDB;
      void tablePlugin.activate(app.frontEnd, model, null, null, db);
    });

    it('is shown once, as it was left', async () => {
      await app.commands.execute(CommandIDs.openTable);
      await app.commands.execute(CommandIDs.openTable);
      expect(app.added).toHaveLength(1);
      expect(app.activated).toBe('jp-runai-table');
      expect(shown().tableLayout.order[0]).toBe('state');
      expect(shown().tableLayout.sizing).toEqual({ name: 99 });
    });
  });

  describe('the analytics', () => {
    it('are shown once, and of what a command asks for', async () => {
      void analyticsPlugin.activate(app.frontEnd, model, null, null);
      await app.commands.execute(CommandIDs.openAnalytics, { by: 'user' });
      const widget = app.added[0]?.widget as MainAreaWidget<AnalyticsWidget>;
      expect(widget.content.choice).toMatchObject({ by: 'user' });
      await app.commands.execute(CommandIDs.openAnalytics);
      expect(widget.content.choice).toMatchObject({ by: 'user' });
      expect(app.added).toHaveLength(1);
      expect(app.activated).toBe('jp-runai-analytics');
    });
  });

  describe('the status item', () => {
    it('is in the status bar where there is one', () => {
      const bar = { registerStatusItem: jest.fn() };
      void statusPlugin.activate(app.frontEnd, model, bar, null);
      expect(bar.registerStatusItem).toHaveBeenCalledWith(
        'jupyter-runai:status',
        expect.objectContaining({ align: 'left' })
      );
    });

    it('is nowhere where there is none', () => {
      expect(() => {
        void statusPlugin.activate(app.frontEnd, model, null, null);
      }).not.toThrow();
    });
  });
});
