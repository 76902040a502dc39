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
  NO_ARGS
} from '../commands';
import { IEngineModel } from '../tokens';
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
    const category = trans.__('GPU');
    for (const command of Object.values(CommandIDs)) {
      palette?.addItem({ command, category });
    }
  }
};

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
