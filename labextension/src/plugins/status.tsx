import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { StatusItem } from '../components/StatusItem';
import { IEngineModel } from '../tokens';
import { doing } from './tabs';

/** Says in the status bar how much of the devices is used. */
export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runai:status',
  description: 'Shows in the status bar how much of the devices is used.',
  autoStart: true,
  requires: [IEngineModel],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    model: IEngineModel,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ): void => {
    if (statusBar === null) {
      return;
    }
    const trans = (translator ?? nullTranslator).load('jupyter_runai');
    const item = ReactWidget.create(
      <StatusItem
        model={model}
        trans={trans}
        open={doing(app, CommandIDs.openPanel)}
      />
    );
    statusBar.registerStatusItem(statusPlugin.id, {
      item,
      align: 'left',
      rank: 20
    });
  }
};
