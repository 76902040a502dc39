import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import { tell } from '../acting';
import {
  CommandIDs,
  DEVICES_ARGS,
  EXAMPLE_DEVICES,
  NO_ARGS,
  RESIZE_ARGS,
  workloadOf
} from '../commands';
import { isStoppable } from '../model/workloads';
import { IEngineModel } from '../tokens';
import type { IWorkload } from '../wire';
import { addVerbs } from '../verbs';

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
    addVerbs(app.commands, model, trans);
    addDevices(app.commands, model, trans);
    addResize(app.commands, model, trans);
    const category = trans.__('GPU');
    for (const command of Object.values(CommandIDs)) {
      palette?.addItem({ command, category });
    }
  }
};

function addResize(
  commands: CommandRegistry,
  model: IEngineModel,
  trans: TranslationBundle
): void {
  const resizable = (): IWorkload[] =>
    model.workloads.filter(each => model.isMine(each) && isStoppable(each));
  const choose = async (): Promise<string | null> => {
    const { chooseWorkload } = await import('../choose');
    const title = trans.__('Change the GPU share of which workload?');
    return chooseWorkload(resizable(), title, trans);
  };
  commands.addCommand(CommandIDs.resizeWorkload, {
    label: trans.__('Change the GPU Share…'),
    caption: trans.__('Change how much of a GPU a workload asks for'),
    describedBy: { args: RESIZE_ARGS },
    isEnabled: args => workloadOf(args) !== null || resizable().length > 0,
    execute: async args => {
      const id = workloadOf(args) ?? (await choose());
      const workload = model.workload(id ?? '');
      if (workload !== undefined) {
        const { resize } = await import('../kernels/resize');
        const gpu = typeof args.gpu === 'string' ? args.gpu : null;
        await tell(resize(model, workload, gpu, trans));
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
