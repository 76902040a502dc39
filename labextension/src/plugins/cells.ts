import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { JSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { IRunLine } from '../cells/runLine';
import { CommandIDs } from '../commands';
import { gpuIcon } from '../icons';
import { IEngineModel } from '../tokens';

/** The schema of the command that runs a cell as a workload. */
const RUN_CELL_ARGS = {
  type: 'object',
  properties: {
    gpu: {
      type: 'string',
      description:
        'A share such as 0.5, whole devices such as 2, or auto; with any of these nothing is asked'
    },
    workers: {
      type: 'string',
      description: 'So many tasks, or at least and at most so many: 2:8'
    },
    detach: {
      type: 'boolean',
      description: 'Whether the next cell goes on at once'
    }
  }
} satisfies JSONObject;

/** What a first cell is asked to run on. */
const USUAL: IRunLine = {
  verb: 'train',
  template: '',
  environment: '',
  gpu: '0.5',
  workers: '',
  outputs: '',
  detach: false,
  rest: ''
};

/** Runs a notebook's cell as a workload: asks on what, and writes it into the cell. */
export const cellsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runai:cells',
  description: 'Runs a cell of a notebook as a GPU workload.',
  autoStart: true,
  requires: [IEngineModel, INotebookTracker],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    model: IEngineModel,
    notebooks: INotebookTracker,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_runai');
    let last = USUAL;
    app.commands.addCommand(CommandIDs.runCell, {
      label: trans.__('Run Cell on GPU…'),
      caption: trans.__('Run this cell as a workload on a share of a GPU'),
      icon: args => (args.isPalette === true ? undefined : gpuIcon),
      describedBy: { args: RUN_CELL_ARGS },
      isEnabled: () => notebooks.activeCell?.model.type === 'code',
      execute: async args => {
        const cell = notebooks.activeCell;
        if (cell?.model.type !== 'code') {
          return;
        }
        const { readRunLine, withRunLine } = await import('../cells/runLine');
        const { sharedModel } = cell.model;
        const first = readRunLine(sharedModel.getSource()) ?? last;
        const given = toLine(args, first);
        const { askRunLine } = await import('../cells/askRunLine');
        const line = given ?? (await askRunLine(model, first, trans));
        if (line === null || cell.isDisposed) {
          return;
        }
        last = { ...line, outputs: '' };
        sharedModel.setSource(withRunLine(sharedModel.getSource(), line));
        await loadMagics(notebooks);
        await app.commands.execute('notebook:run-cell');
      }
    });
  }
};

/** What the command's arguments say, over what stood there; null where they leave it to the user. */
function toLine(
  { gpu, workers, detach }: ReadonlyPartialJSONObject,
  first: IRunLine
): IRunLine | null {
  if (gpu === undefined && workers === undefined && detach === undefined) {
    return null;
  }
  return {
    ...first,
    ...(typeof gpu === 'string' ? { gpu } : {}),
    ...(typeof workers === 'string' ? { workers } : {}),
    ...(typeof detach === 'boolean' ? { detach } : {})
  };
}

/** The cell's line is understood once the kernel has our magics; to load them again does nothing. */
async function loadMagics(notebooks: INotebookTracker): Promise<void> {
  const kernel = notebooks.currentWidget?.sessionContext.session?.kernel;
  await kernel?.requestExecute({
    code: '%load_ext jupyter_runai',
    silent: true,
    store_history: false,
    stop_on_error: false
  }).done;
}
