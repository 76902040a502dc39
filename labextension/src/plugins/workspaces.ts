import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { tell } from '../acting';
import {
  CommandIDs,
  COPY_WORKSPACE_ARGS,
  NEW_WORKSPACE_ARGS,
  WORKSPACE_ARGS
} from '../commands';
import type { IWorkspaceContext } from '../kernels/workspaceActions';
import { Workspaces } from '../kernels/workspaces';
import { IEngineModel, IWorkspaces } from '../tokens';
import type { IWorkspace } from '../wire';

/** Workspaces, and what can be done with them; suspend and resume are those of their workloads. */
export const workspacesPlugin: JupyterFrontEndPlugin<IWorkspaces> = {
  id: 'jupyter-runai:workspaces',
  description: 'Keeps kernels that go on when their notebook is closed.',
  autoStart: true,
  requires: [IEngineModel],
  optional: [INotebookTracker, ITranslator],
  provides: IWorkspaces,
  activate: (
    app: JupyterFrontEnd,
    model: IEngineModel,
    notebooks: INotebookTracker | null,
    translator: ITranslator | null
  ): IWorkspaces => {
    const trans = (translator ?? nullTranslator).load('jupyter_runai');
    const workspaces = new Workspaces(model);
    const context = { app, model, workspaces, notebooks, trans };
    app.commands.addCommand(CommandIDs.newWorkspace, {
      label: trans.__('New GPU Workspace…'),
      caption: trans.__('A kernel that goes on when its notebook is closed'),
      describedBy: { args: NEW_WORKSPACE_ARGS },
      execute: async args => {
        const { create } = await import('../kernels/workspaceActions');
        await tell(create(context, args));
      }
    });
    app.commands.addCommand(CommandIDs.openWorkspace, {
      label: trans.__('Open a GPU Workspace…'),
      caption: trans.__('Show a notebook on a workspace'),
      describedBy: { args: WORKSPACE_ARGS },
      execute: args =>
        forOne(context, args, trans.__('Open which workspace?'), 'open')
    });
    app.commands.addCommand(CommandIDs.copyWorkspace, {
      label: trans.__('Copy a GPU Workspace…'),
      caption: trans.__('Another like it, with a kernel of its own'),
      describedBy: { args: COPY_WORKSPACE_ARGS },
      execute: args =>
        forOne(context, args, trans.__('Copy which workspace?'), 'copy')
    });
    app.commands.addCommand(CommandIDs.deleteWorkspace, {
      label: trans.__('Delete a GPU Workspace…'),
      caption: trans.__('End its kernel, and offer it no longer'),
      describedBy: { args: WORKSPACE_ARGS },
      execute: args =>
        forOne(context, args, trans.__('Delete which workspace?'), 'remove')
    });
    return workspaces;
  }
};

async function forOne(
  context: IWorkspaceContext,
  args: ReadonlyPartialJSONObject,
  question: string,
  action: 'open' | 'copy' | 'remove'
): Promise<void> {
  const actions = await import('../kernels/workspaceActions');
  const workspace = await found(context, args, question);
  if (workspace !== null) {
    await tell(actions[action](context, workspace, args));
  }
}

/** The workspace that the arguments name, else the one that the user chooses. */
async function found(
  { workspaces }: IWorkspaceContext,
  args: ReadonlyPartialJSONObject,
  question: string
): Promise<IWorkspace | null> {
  await workspaces.refresh();
  const name =
    typeof args.workspace === 'string'
      ? args.workspace
      : await (
          await import('../choose')
        ).chooseName(
          workspaces.all.map(each => each.name),
          question
        );
  return workspaces.all.find(each => each.name === name) ?? null;
}
