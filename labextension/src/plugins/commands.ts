import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import {
  CommandIDs,
  DEVICES_ARGS,
  EXAMPLE_DEVICES,
  NO_ARGS,
  WORKLOAD_ARGS,
  workloadOf
} from '../commands';
import { EngineError } from '../api/client';
import { isStoppable } from '../model/workloads';
import { IEngineModel } from '../tokens';

/** What the engine can be asked to do, and the palette's entries. */
export const commandsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runai:commands',
  description: 'Adds the commands for GPU workloads, to the palette too.',
  autoStart: true,
  requires: [IEngineModel],
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    model: IEngineModel,
    translator: ITranslator | null,
    palette: ICommandPalette | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_runai');
    addStop(app.commands, model, trans);
    addDevices(app.commands, model, trans);
    const category = trans.__('GPU');
    for (const command of Object.values(CommandIDs)) {
      palette?.addItem({ command, category });
    }
  }
};

function addStop(
  commands: CommandRegistry,
  model: IEngineModel,
  trans: TranslationBundle
): void {
  const stoppable = () =>
    model.workloads.filter(each => model.isMine(each) && isStoppable(each));
  const choose = async () => {
    const { chooseWorkload } = await import('../choose');
    return chooseWorkload(stoppable(), trans.__('Stop which workload?'), trans);
  };
  commands.addCommand(CommandIDs.stopWorkload, {
    label: args => {
      const name = model.workload(workloadOf(args) ?? '')?.name;
      return name === undefined
        ? trans.__('Stop a GPU Workload…')
        : trans.__('Stop %1', name);
    },
    caption: trans.__('End a workload for good'),
    describedBy: { args: WORKLOAD_ARGS },
    isEnabled: args => workloadOf(args) !== null || stoppable().length > 0,
    execute: async args => {
      const workload = workloadOf(args) ?? (await choose());
      if (workload !== null) {
        await tell(model.stop(workload));
      }
    }
  });
}

function addDevices(
  commands: CommandRegistry,
  model: IEngineModel,
  trans: TranslationBundle
): void {
  commands.addCommand(CommandIDs.simulateDevices, {
    label: trans.__('Use Simulated GPU Devices'),
    caption: trans.__('Try everything without a GPU'),
    describedBy: { args: DEVICES_ARGS },
    isVisible: () => model.info?.simulated === null,
    execute: args =>
      tell(
        model.simulate(
          typeof args.devices === 'string' ? args.devices : EXAMPLE_DEVICES
        )
      )
  });
  commands.addCommand(CommandIDs.useOwnDevices, {
    label: trans.__('Use Real GPU Devices'),
    caption: trans.__('End the simulation'),
    describedBy: { args: NO_ARGS },
    isVisible: () => typeof model.info?.simulated === 'string',
    execute: () => tell(model.simulate(null))
  });
}

/** Wait for an answer; a refusal is shown with what to do about it. */
async function tell(answer: Promise<unknown>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if (!(error instanceof EngineError)) {
      throw error;
    }
    Notification.error(`${error.message} ${error.hint}`.trim(), {
      autoClose: false
    });
  }
}
