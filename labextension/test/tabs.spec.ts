import type { ILayoutRestorer } from '@jupyterlab/application';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import type { IStateDB } from '@jupyterlab/statedb';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';
import { act, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { CommandIDs, NO_ARGS } from '../src/commands';
import { analyticsPlugin } from '../src/plugins/analytics';
import { detailsPlugin } from '../src/plugins/details';
import { panelPlugin } from '../src/plugins/panel';
import { runningPlugin } from '../src/plugins/running';
import { tablePlugin } from '../src/plugins/table';
import { RunningWorkloads } from '../src/running';
import type { AnalyticsWidget } from '../src/widgets/analytics';
import { TableWidget } from '../src/widgets/table';
import { FakeApp } from './helpers/fakeApp';
import { liveModel, workspacesOf } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { workload } from './helpers/sample';

interface IRestored {
  readonly command: string;
  readonly args?: (widget: Widget) => ReadonlyPartialJSONObject;
  readonly name: (widget: Widget) => string;
}

/** What a layout restorer is told of the tabs of one plugin. */
function fakeRestorer(): ILayoutRestorer & { told: IRestored[] } {
  const told: IRestored[] = [];
  return {
    told,
    add: jest.fn(),
    restore: jest.fn((_, options: IRestored) => {
      told.push(options);
      return Promise.resolve();
    })
  } as unknown as ILayoutRestorer & { told: IRestored[] };
}

describe('tabs', () => {
  let app: FakeApp;
  let model: FakeModel;
  let restorer: ReturnType<typeof fakeRestorer>;
  const ran: [string, unknown][] = [];

  /** Let these commands be there, and remember what they were asked for. */
  function listen(...ids: string[]): void {
    for (const id of ids) {
      app.commands.addCommand(id, {
        describedBy: { args: NO_ARGS },
        execute: args => {
          ran.push([id, args]);
        }
      });
    }
  }

  /** The tab that was opened in this place. */
  function tabAt(place: number): MainAreaWidget<AnalyticsWidget> {
    const widget = app.added[place]?.widget as
      MainAreaWidget<AnalyticsWidget> | undefined;
    if (widget === undefined) {
      throw new Error('no tab was opened');
    }
    return widget;
  }

  /** Let a change be drawn. */
  async function drawn(change: () => unknown): Promise<void> {
    await act(async () => {
      await change();
      await new Promise(resolve => setTimeout(resolve));
    });
  }

  beforeEach(() => {
    ran.length = 0;
    app = new FakeApp();
    model = liveModel({ workloads: [workload(), workload({ id: 'w2' })] });
    restorer = fakeRestorer();
  });

  describe('of details', () => {
    beforeEach(() => {
      void detailsPlugin.activate(app.frontEnd, model, null, restorer);
    });

    it('are one for each workload, and come back with it', async () => {
      await app.commands.execute(CommandIDs.openDetails, { workload: 'w1' });
      await app.commands.execute(CommandIDs.openDetails, { workload: 'w2' });
      await app.commands.execute(CommandIDs.openDetails, { workload: 'w1' });
      expect(app.added).toHaveLength(2);
      const [{ command, args, name } = { command: '', name: String }] =
        restorer.told;
      expect(command).toBe(CommandIDs.openDetails);
      const widget = tabAt(1);
      expect(args?.(widget)).toEqual({ workload: 'w2' });
      expect(name(widget)).toBe('w2');
    });

    it('are anew for a workload whose tab was closed', async () => {
      await app.commands.execute(CommandIDs.openDetails, { workload: 'w1' });
      app.added[0]?.widget.dispose();
      await app.commands.execute(CommandIDs.openDetails, { workload: 'w1' });
      expect(app.added).toHaveLength(2);
    });
  });

  describe('of the table', () => {
    let saved: unknown[];

    beforeEach(() => {
      saved = [];
      const state = {
        fetch: jest.fn(() => Promise.resolve(undefined)),
        save: jest.fn((_: string, value: unknown) => {
          saved.push(value);
          return Promise.resolve();
        })
      };
      const db = state as unknown as IStateDB;
      void tablePlugin.activate(app.frontEnd, model, null, restorer, db);
    });

    it('is remembered once it stays as it is', async () => {
      await app.commands.execute(CommandIDs.openTable);
      const tab = tabAt(0);
      expect(tabAt(0).content).toBeInstanceOf(TableWidget);
      await drawn(() => {
        Widget.attach(tab, document.body);
      });
      const title = await screen.findByRole('button', { name: 'Project' });
      await userEvent.tripleClick(title);
      expect(saved).toEqual([]);
      await waitFor(() => {
        expect(saved).toEqual([
          expect.objectContaining({ sortBy: 'queue', isDescending: false })
        ]);
      });
      act(() => {
        Widget.detach(tab);
      });
    });

    it('is another one after it was closed', async () => {
      await app.commands.execute(CommandIDs.openTable);
      app.added[0]?.widget.dispose();
      await app.commands.execute(CommandIDs.openTable);
      expect(app.added).toHaveLength(2);
      expect(restorer.told[0]?.command).toBe(CommandIDs.openTable);
    });
  });

  describe('of analytics', () => {
    beforeEach(() => {
      void analyticsPlugin.activate(app.frontEnd, model, null, restorer);
    });

    it('come back with what was chosen', async () => {
      const args = { period: 'month', by: 'user' };
      await app.commands.execute(CommandIDs.openAnalytics, args);
      const widget = tabAt(0);
      expect(restorer.told[0]?.args?.(widget)).toEqual({
        ...args,
        from: '',
        to: ''
      });
      const page = tabAt(0).content;
      await drawn(() => {
        page.choose({ ...page.choice, by: 'device' });
      });
      expect(restorer.told[0]?.args?.(widget)).toMatchObject({ by: 'device' });
    });

    it('change with what a command asks for, and keep it without', async () => {
      await app.commands.execute(CommandIDs.openAnalytics);
      const page = tabAt(0).content;
      const told = jest.fn();
      page.choiceChanged.connect(told);
      await app.commands.execute(CommandIDs.openAnalytics);
      expect(told).not.toHaveBeenCalled();
      await drawn(() =>
        app.commands.execute(CommandIDs.openAnalytics, { by: 'workload' })
      );
      expect(page.choice.by).toBe('workload');
      expect(told).toHaveBeenCalledTimes(1);
      await drawn(() => {
        page.dispose();
        page.dispose();
      });
      await drawn(() => {
        page.choose({ ...page.choice, by: 'user' });
      });
      expect(told).toHaveBeenCalledTimes(1);
    });
  });

  describe('beside the panel', () => {
    it('are opened by what runs, and stopped there', () => {
      listen(CommandIDs.openDetails, CommandIDs.stopWorkload);
      const managers: RunningWorkloads[] = [];
      const add = (manager: RunningWorkloads): never =>
        managers.push(manager) as never;
      void runningPlugin.activate(
        app.frontEnd,
        model,
        { add, items: () => [] },
        null
      );
      const [first] = managers[0]?.running() ?? [];
      first?.open?.();
      first?.shutdown?.();
      managers[0]?.shutdownAll();
      expect(ran).toEqual([
        [CommandIDs.openDetails, { workload: 'w1' }],
        [CommandIDs.stopWorkload, { workloads: ['w1'] }],
        [CommandIDs.stopWorkload, { workloads: ['w1', 'w2'] }]
      ]);
    });

    it('are not listed where nothing lists what runs', () => {
      expect(() => {
        void runningPlugin.activate(app.frontEnd, model, null, null);
      }).not.toThrow();
    });

    it('keep its sections as they were left', async () => {
      const saved = { order: ['workloads'], collapsed: ['devices'] };
      const state = {
        fetch: jest.fn(() => Promise.resolve(saved)),
        save: jest.fn()
      };
      const db = state as unknown as IStateDB;
      void panelPlugin.activate(
        app.frontEnd,
        model,
        workspacesOf(model),
        null,
        null,
        db
      );
      await new Promise(resolve => setTimeout(resolve));
      expect(state.fetch).toHaveBeenCalledWith('jupyter-runai:panel');
      expect(state.save).not.toHaveBeenCalled();
    });
  });
});
