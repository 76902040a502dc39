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
import { IEngineModel } from '../tokens';
import type { LogWidget } from '../widgets/log';
import { chooseMine, showTab, workloadActions } from './workloadTab';

type LogTracker = WidgetTracker<MainAreaWidget<LogWidget>>;

/** Logs in the main area, one for a workload, restored with the layout. */
export const logPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runai:log',
  description: 'Shows the log of a workload as it is written.',
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
    const tracker: LogTracker = new WidgetTracker({ namespace: 'runai-log' });
    app.commands.addCommand(CommandIDs.openLog, {
      label: trans.__('Show the Log of a GPU Workload…'),
      caption: trans.__('Follow what a workload writes'),
      describedBy: { args: WORKLOAD_ARGS },
      execute: async args => {
        const workload =
          workloadOf(args) ??
          (await chooseMine(model, trans.__('Show which log?'), trans));
        if (workload !== null) {
          await open(app, model, tracker, workload, trans);
        }
      }
    });
    void restorer?.restore(tracker, {
      command: CommandIDs.openLog,
      args: ({ content }) => ({ workload: content.workload }),
      name: ({ content }) => content.workload
    });
  }
};

/** Show the log of a workload: the widget that has it, else a new one. */
async function open(
  app: JupyterFrontEnd,
  model: IEngineModel,
  tracker: LogTracker,
  workload: string,
  trans: TranslationBundle
): Promise<void> {
  const { LogWidget } = await import('../widgets/log');
  await showTab(
    app,
    tracker,
    workload,
    () =>
      new LogWidget({
        model,
        workload,
        trans,
        actions: workloadActions(app)
      })
  );
}
