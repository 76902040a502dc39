import { ILayoutRestorer } from '@jupyterlab/application';
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Clipboard } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, NO_ARGS } from '../commands';
import { IEngineModel } from '../tokens';
import { forOne, workloadActions } from './workloadTab';
import { PanelWidget } from '../widgets/panel';

/** Among other extensions' panels, below the application's own. */
const RANK = 600;

/** The side panel, and the command that shows it. */
export const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runai:panel',
  description: 'Shows devices, queues and workloads in the sidebar.',
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
    const { commands, shell } = app;
    const panel = new PanelWidget({
      model,
      trans,
      actions: {
        openDetails: forOne(app, CommandIDs.openDetails),
        openTable: () => {
          void commands.execute(CommandIDs.openTable);
        },
        openAnalytics: () => {
          void commands.execute(CommandIDs.openAnalytics);
        },
        submit: () => {
          void commands.execute(CommandIDs.newWorkload);
        },
        ...workloadActions(app),
        simulate: devices => {
          void (devices === null
            ? commands.execute(CommandIDs.useOwnDevices)
            : commands.execute(CommandIDs.simulateDevices, { devices }));
        },
        copy: text => {
          Clipboard.copyToSystem(text);
        }
      }
    });
    shell.add(panel, 'left', { rank: RANK, type: 'GPU' });
    restorer?.add(panel, panel.id);
    commands.addCommand(CommandIDs.openPanel, {
      label: trans.__('Show the GPU Panel'),
      caption: trans.__('Show devices, queues and workloads'),
      describedBy: { args: NO_ARGS },
      execute: () => {
        shell.activateById(panel.id);
      }
    });
  }
};
