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
import { addTab, chooseMine, workloadActions } from './tabs';

interface IDetails {
  readonly app: JupyterFrontEnd;
  readonly model: IEngineModel;
  readonly tracker: WidgetTracker<MainAreaWidget<DetailsWidget>>;
  readonly trans: TranslationBundle;
}

/** Details in the main area, one tab for a workload, restored with the layout. */
export const detailsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runai:details',
  description: 'Shows all about a workload in a tab, and its log as it grows.',
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
    const tracker = new WidgetTracker<MainAreaWidget<DetailsWidget>>({
      namespace: 'runai-details'
    });
    const details = { app, model, tracker, trans };
    app.commands.addCommand(CommandIDs.openDetails, {
      label: args =>
        workloadOf(args) === null
          ? trans.__('Show the Details of a GPU Workload…')
          : trans.__('Show Details'),
      caption: trans.__('Its life, why it waits, its log and what it uses'),
      describedBy: { args: WORKLOAD_ARGS },
      execute: async args => {
        const question = trans.__('Show which workload?');
        await open(details, workloadOf(args), question);
      }
    });
    app.commands.addCommand(CommandIDs.openLog, {
      label: trans.__('Show the Log of a GPU Workload…'),
      caption: trans.__('Follow what a workload writes'),
      describedBy: { args: WORKLOAD_ARGS },
      execute: async args => {
        const question = trans.__('Show which log?');
        (await open(details, workloadOf(args), question))?.turnTo('log');
      }
    });
    void restorer?.restore(tracker, {
      command: CommandIDs.openDetails,
      args: ({ content }) => ({ workload: content.workload }),
      name: ({ content }) => content.workload
    });
  }
};

/** Show a workload, else one that the user chooses: the widget that has it, else a new one. */
async function open(
  { app, model, tracker, trans }: IDetails,
  given: string | null,
  question: string
): Promise<DetailsWidget | null> {
  const workload = given ?? (await chooseMine(model, question, trans));
  if (workload === null) {
    return null;
  }
  const known = tracker.find(({ content }) => content.workload === workload);
  if (known) {
    app.shell.activateById(known.id);
    return known.content;
  }
  const { DetailsWidget } = await import('../widgets/details');
  const widget = new DetailsWidget({
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
  });
  await addTab(app, tracker, `jp-runai-details-${workload}`, widget);
  return widget;
}
