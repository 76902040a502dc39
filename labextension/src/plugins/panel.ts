import { ILayoutRestorer } from '@jupyterlab/application';
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Clipboard } from '@jupyterlab/apputils';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import type { PartialJSONObject } from '@lumino/coreutils';

import { CommandIDs, NO_ARGS } from '../commands';
import { toJson } from '../json';
import { restoreArrangement } from '../panel/arrangement';
import type { IArrangement } from '../panel/arrangement';
import { IEngineModel, IWorkspaces } from '../tokens';
import { doing, forOne, workloadActions } from './tabs';
import { PanelWidget } from '../widgets/panel';

/** Among other extensions' panels, below the application's own. */
const RANK = 600;

/** Where the arrangement of the sections is remembered. */
const ARRANGEMENT = 'jupyter-runai:panel';

/** The side panel, and the command that shows it. */
export const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runai:panel',
  description: 'Shows devices, queues and workloads in the sidebar.',
  autoStart: true,
  requires: [IEngineModel, IWorkspaces],
  optional: [ITranslator, ILayoutRestorer, IStateDB],
  activate: (
    app: JupyterFrontEnd,
    model: IEngineModel,
    workspaces: IWorkspaces,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    state: IStateDB | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_runai');
    const { commands, shell } = app;
    const forWorkspace = (command: string) => (workspace: string) => {
      void commands.execute(command, { workspace });
    };
    const panel = new PanelWidget({
      model,
      workspaces,
      trans,
      arrangement: fetchArrangement(state),
      arrange: arrangement => {
        void state?.save(ARRANGEMENT, toJson(arrangement));
      },
      actions: {
        openDetails: forOne(app, CommandIDs.openDetails),
        openTable: doing(app, CommandIDs.openTable),
        openAnalytics: doing(app, CommandIDs.openAnalytics),
        submit: doing(app, CommandIDs.newWorkload),
        newWorkspace: doing(app, CommandIDs.newWorkspace),
        openWorkspace: forWorkspace(CommandIDs.openWorkspace),
        copyWorkspace: forWorkspace(CommandIDs.copyWorkspace),
        deleteWorkspace: forWorkspace(CommandIDs.deleteWorkspace),
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

async function fetchArrangement(state: IStateDB | null): Promise<IArrangement> {
  const saved = await state?.fetch(ARRANGEMENT);
  return restoreArrangement(saved as PartialJSONObject | undefined);
}
