import { ILayoutRestorer } from '@jupyterlab/application';
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { WidgetTracker } from '@jupyterlab/apputils';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { TranslationBundle } from '@jupyterlab/translation';

import { CommandIDs, WORKLOAD_ARGS, workloadOf } from '../commands';
import { toJson } from '../json';
import { IEngineModel } from '../tokens';
import type { DetailsWidget } from '../widgets/details';
import { chooseMine, showTab, workloadActions } from './workloadTab';

type DetailsTracker = WidgetTracker<MainAreaWidget<DetailsWidget>>;

/** Details in the main area, one tab for a workload, restored with the layout. */
export const detailsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runai:details',
  description: 'Shows all about a workload in a tab.',
  autoStart: true,
  requires: [IEngineModel],
  optional: [ITranslator, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    model: IEngineModel,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_runai');
    const tracker: DetailsTracker = new WidgetTracker({
      namespace: 'runai-details'
    });
    app.commands.addCommand(CommandIDs.openDetails, {
      label: args =>
        workloadOf(args) === null
          ? trans.__('Show the Details of a GPU Workload…')
          : trans.__('Show Details'),
      caption: trans.__('Its life, why it waits, its log and what it uses'),
      describedBy: { args: WORKLOAD_ARGS },
      execute: async args => {
        const workload =
          workloadOf(args) ??
          (await chooseMine(model, trans.__('Show which workload?'), trans));
        if (workload !== null) {
          await open(app, model, tracker, workload, trans);
        }
      }
    });
    void restorer?.restore(tracker, {
      command: CommandIDs.openDetails,
      args: ({ content }) => ({ workload: content.workload }),
      name: ({ content }) => content.workload
    });
  }
};

/** Show a workload: the widget that has it, else a new one. */
async function open(
  app: JupyterFrontEnd,
  model: IEngineModel,
  tracker: DetailsTracker,
  workload: string,
  trans: TranslationBundle
): Promise<void> {
  const { DetailsWidget } = await import('../widgets/details');
  await showTab(
    app,
    tracker,
    workload,
    () =>
      new DetailsWidget({
        model,
        workload,
        trans,
        actions: workloadActions(app),
        copy: (id, change) => {
          void app.commands.execute(CommandIDs.newWorkload, {
            copy: id,
            ...(change && { change: toJson(change) })
          });
        }
      })
  );
}
