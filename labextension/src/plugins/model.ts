import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { EngineModel } from '../model/engineModel';
import { IEngineModel } from '../tokens';

/** Provides the one store that everything else of this extension reads. */
export const modelPlugin: JupyterFrontEndPlugin<IEngineModel> = {
  id: 'jupyter-runai:model',
  description: 'Keeps what the GPU engine knows up to date.',
  autoStart: true,
  provides: IEngineModel,
  activate: (app: JupyterFrontEnd): IEngineModel =>
    new EngineModel({ serverSettings: app.serviceManager.serverSettings })
};
