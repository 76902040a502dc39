import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { RunningWorkloads } from '../running';
import { IEngineModel } from '../tokens';
import { forId } from './tabs';

/** The user's live workloads among all else that runs. */
export const runningPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runai:running',
  description: 'Lists GPU workloads among what runs.',
  autoStart: true,
  requires: [IEngineModel],
  optional: [IRunningSessionManagers, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    model: IEngineModel,
    managers: IRunningSessionManagers | null,
    translator: ITranslator | null
  ): void => {
    managers?.add(
      new RunningWorkloads({
        model,
        open: forId(app, CommandIDs.openDetails),
        stop: workloads => {
          void app.commands.execute(CommandIDs.stopWorkload, { workloads });
        },
        trans: (translator ?? nullTranslator).load('jupyter_runai')
      })
    );
  }
};
