import { ILayoutRestorer } from '@jupyterlab/application';
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { WidgetTracker } from '@jupyterlab/apputils';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { PartialJSONObject } from '@lumino/coreutils';
import { Debouncer } from '@lumino/polling';

import { CommandIDs, NO_ARGS } from '../commands';
import type { ITableActions } from '../components/actions';
import { download } from '../download';
import { toJson } from '../json';
import { IEngineModel } from '../tokens';
import type { TableWidget } from '../widgets/table';
import { addTab, doing, forId } from './tabs';

/** Where the layout is remembered. */
const LAYOUT = 'jupyter-runai:table';

/** How long the layout must stay as it is before it is remembered, in milliseconds. */
const SETTLED_MS = 300;

/** The table of all workloads, its layout remembered. */
export const tablePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runai:table',
  description: 'Shows all workloads in a table in the main area.',
  autoStart: true,
  requires: [IEngineModel],
  optional: [ITranslator, ILayoutRestorer, IStateDB],
  activate: (
    app: JupyterFrontEnd,
    model: IEngineModel,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    state: IStateDB | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_runai');
    const { commands, shell } = app;
    const tracker = new WidgetTracker<MainAreaWidget<TableWidget>>({
      namespace: 'runai-table'
    });
    commands.addCommand(CommandIDs.openTable, {
      label: trans.__('Show All GPU Workloads'),
      caption: trans.__('Show all workloads in a table'),
      describedBy: { args: NO_ARGS },
      execute: async () => {
        const known = tracker.currentWidget;
        if (known !== null) {
          shell.activateById(known.id);
          return;
        }
        const actions = tableActions(app);
        const content = await create(model, actions, state, trans);
        await addTab(app, tracker, 'jp-runai-table', content);
      }
    });
    void restorer?.restore(tracker, {
      command: CommandIDs.openTable,
      name: () => 'table'
    });
  }
};

async function create(
  model: IEngineModel,
  actions: ITableActions,
  state: IStateDB | null,
  trans: TranslationBundle
): Promise<TableWidget> {
  const [{ TableWidget }, { columns }, { restoreLayout }] = await Promise.all([
    import('../widgets/table'),
    import('../table/columns'),
    import('../table/layout')
  ]);
  const saved = await state?.fetch(LAYOUT);
  const layout = restoreLayout(
    saved as PartialJSONObject | undefined,
    columns(trans)
  );
  const table = new TableWidget({ model, layout, actions, trans });
  const save = new Debouncer(
    () => state?.save(LAYOUT, toJson(table.tableLayout)),
    SETTLED_MS
  );
  table.layoutChanged.connect(() => {
    // Rejected when it is put off again, which is what should happen.
    save.invoke().catch(() => undefined);
  });
  table.disposed.connect(() => {
    save.dispose();
  });
  return table;
}

function tableActions(app: JupyterFrontEnd): ITableActions {
  const act = (command: string) => (ids: readonly string[]) => {
    void app.commands.execute(command, { workloads: [...ids] });
  };
  return {
    openDetails: forId(app, CommandIDs.openDetails),
    stopAll: act(CommandIDs.stopWorkload),
    suspendAll: act(CommandIDs.suspendWorkload),
    resumeAll: act(CommandIDs.resumeWorkload),
    deleteAll: act(CommandIDs.deleteWorkload),
    submit: doing(app, CommandIDs.newWorkload),
    save: download
  };
}
