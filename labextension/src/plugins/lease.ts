import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IToolbarWidgetRegistry } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { TranslationBundle } from '@jupyterlab/translation';

import { tell } from '../acting';
import {
  CommandIDs,
  START_KERNEL_ARGS,
  WORKLOAD_ARGS,
  workloadOf
} from '../commands';
import { KernelLeases } from '../kernels/leases';
import { IEngineModel } from '../tokens';
import type { IWorkload } from '../wire';
import { LeaseWidget } from '../widgets/lease';

/** What a notebook's kernel holds in its toolbar, and what can be done with it. */
export const leasePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runai:lease',
  description: 'Shows in a notebook what its kernel holds of a GPU.',
  autoStart: true,
  requires: [IEngineModel, INotebookTracker],
  optional: [ITranslator, IToolbarWidgetRegistry],
  activate: (
    app: JupyterFrontEnd,
    model: IEngineModel,
    notebooks: INotebookTracker,
    translator: ITranslator | null,
    toolbars: IToolbarWidgetRegistry | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_runai');
    const leases = new KernelLeases(model);
    const held = { app, model, notebooks, leases, trans };
    addStart(held);
    addRelease(held);
    toolbars?.addFactory<NotebookPanel>(
      'Notebook',
      'runai-lease',
      ({ sessionContext: session }) => {
        const lease = (): IWorkload | null =>
          leases.workloadOf(session.session?.kernel?.id);
        return new LeaseWidget({
          model,
          lease,
          leases,
          session,
          trans,
          open: async button => {
            const { openLeaseMenu } = await import('../kernels/menu');
            openLeaseMenu(app.commands, lease(), button);
          }
        });
      }
    );
  }
};

interface IHeld {
  readonly app: JupyterFrontEnd;
  readonly model: IEngineModel;
  readonly notebooks: INotebookTracker;
  readonly leases: KernelLeases;
  readonly trans: TranslationBundle;
}

function addStart({ app, model, notebooks, trans }: IHeld): void {
  app.commands.addCommand(CommandIDs.startKernel, {
    label: trans.__('Start Kernel with GPU…'),
    caption: trans.__('Start the kernel of this notebook on a share of a GPU'),
    describedBy: { args: START_KERNEL_ARGS },
    execute: async args => {
      const { startKernel } = await import('../kernels/startKernel');
      const notebook = notebooks.currentWidget;
      await tell(startKernel({ app, model, notebook, trans }, args));
    }
  });
}

function addRelease({ app, model, notebooks, leases, trans }: IHeld): void {
  const current = (): IWorkload | null => {
    const session = notebooks.currentWidget?.sessionContext.session;
    return leases.workloadOf(session?.kernel?.id);
  };
  app.commands.addCommand(CommandIDs.releaseGpu, {
    label: trans.__('Release the GPU of this Kernel…'),
    caption: trans.__('Stop the kernel and free what it holds'),
    describedBy: { args: WORKLOAD_ARGS },
    isEnabled: args => workloadOf(args) !== null || current() !== null,
    execute: async args => {
      const id = workloadOf(args);
      const workload = id === null ? current() : model.workload(id);
      if (workload) {
        const { release } = await import('../kernels/release');
        await tell(release(model, workload, trans));
      }
    }
  });
}
