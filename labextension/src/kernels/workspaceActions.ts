import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { ask } from '../ask';
import { catalogFields } from '../components/submit/catalogFields';
import { catalogOf } from '../submission/catalog';
import { numberOf, textOf } from '../submission/draft';
import type { Values } from '../submission/filling';
import { isWaiting } from '../model/workloads';
import type { IEngineModel, IWorkspaces } from '../tokens';
import type { INewWorkspace, IWorkspace, IWorkspaceCopy } from '../wire';
import {
  USUAL_SHARE,
  conditions,
  conditionsOf,
  foreseeKernel,
  isYes,
  moreShareFields,
  shareFields
} from './shareFields';

/** What it takes to act on workspaces. */
export interface IWorkspaceContext {
  readonly app: JupyterFrontEnd;
  readonly model: IEngineModel;
  readonly workspaces: IWorkspaces;

  /** Where a notebook may be on a workspace already; null where there are none. */
  readonly notebooks: INotebookTracker | null;
  readonly trans: TranslationBundle;
}

/** Make a workspace of what the arguments say, else of what the user says, and open it. */
export async function create(
  context: IWorkspaceContext,
  args: ReadonlyPartialJSONObject
): Promise<void> {
  const { model, trans } = context;
  const known = given(args);
  const { environment } = args;
  const body: INewWorkspace | null =
    known !== null
      ? { ...known, ...(typeof environment === 'string' && { environment }) }
      : await askWhat(context, trans.__('New workspace'), trans.__('Create'), {
          ...USUAL_SHARE,
          name: ''
        });
  if (body !== null) {
    await shown(context, await model.requests.createWorkspace(body));
  }
}

/** Start a workspace where it does not run, and show a notebook on it. */
export async function open(
  context: IWorkspaceContext,
  { name }: IWorkspace
): Promise<void> {
  await shown(context, await context.model.requests.openWorkspace(name));
}

/** Make another workspace like one that there is, with what the user changes, and open it. */
export async function copy(
  context: IWorkspaceContext,
  workspace: IWorkspace,
  args: ReadonlyPartialJSONObject
): Promise<void> {
  const { model, trans } = context;
  const title = trans.__('Copy of the workspace %1', workspace.name);
  const known = given(args);
  const body =
    known ??
    (await askWhat(context, title, trans.__('Make a copy'), {
      name: `${workspace.name}-2`,
      gpu: textOf(workspace.request.gpu),
      gpu_memory_mib: textOf(workspace.request.gpu_memory_mib),
      queue: workspace.project,
      ...conditionsOf(workspace)
    }));
  if (body !== null) {
    const { name } = workspace;
    // What was emptied is to be as usual, not as it was.
    const emptied = known === null ? { priority: null, max_time_s: 0 } : {};
    const changes = { ...emptied, ...body };
    await shown(context, await model.requests.copyWorkspace(name, changes));
  }
}

/** End a workspace and offer it no longer, once the user has agreed to lose what it has in memory. */
export async function remove(
  { model, workspaces, trans }: IWorkspaceContext,
  { name, folder }: IWorkspace
): Promise<void> {
  const { button } = await showDialog({
    title: trans.__('Delete the workspace %1?', name),
    body: trans.__(
      'Its kernel ends, and what is in its memory is lost. Its folder %1 stays.',
      folder
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Delete') })
    ]
  });
  if (button.accept) {
    await model.requests.deleteWorkspace(name);
    await workspaces.refresh();
  }
}

/** Show a notebook on a workspace that runs; of one that waits say so. */
async function shown(
  { app, workspaces, notebooks, trans }: IWorkspaceContext,
  { name, kernelspec, workload }: IWorkspace
): Promise<void> {
  await Promise.all([
    workspaces.refresh(),
    app.serviceManager.kernelspecs.refreshSpecs()
  ]);
  if (workload === null || isWaiting(workload)) {
    Notification.info(
      trans.__(
        'The workspace %1 waits for its GPU; open it once it runs.',
        name
      )
    );
    return;
  }
  const known = notebooks?.find(
    ({ sessionContext }) => sessionContext.session?.kernel?.name === kernelspec
  );
  if (known) {
    app.shell.activateById(known.id);
    return;
  }
  await app.commands.execute('notebook:create-new', { kernelName: kernelspec });
}

function given(args: ReadonlyPartialJSONObject): IWorkspaceCopy | null {
  const { name, gpu, project, preemptible } = args;
  return typeof name === 'string'
    ? {
        name,
        ...(typeof gpu === 'string' && { gpu }),
        ...(typeof project === 'string' && { project }),
        ...(typeof preemptible === 'boolean' && { preemptible })
      }
    : null;
}

/** Let the user say what a workspace asks for; an environment is only chosen for a new one. */
async function askWhat(
  { model, trans }: IWorkspaceContext,
  title: string,
  accept: string,
  first: Values
): Promise<INewWorkspace | null> {
  const catalog = await catalogOf(model);
  const values = await ask({
    model,
    title,
    accept,
    note: trans.__(
      'A kernel with a name: it goes on when its notebook is closed or the server ends.'
    ),
    catalog,
    fields: [
      ...catalogFields(catalog, 'workspace', trans).filter(
        ({ field }) => field in first
      ),
      {
        field: 'name',
        label: trans.__('Name'),
        help: trans.__('Small letters, digits, dots and hyphens'),
        isRequired: true
      },
      ...shareFields(model, trans)
    ],
    more: moreShareFields(trans),
    first,
    foresee: foreseeKernel,
    trans
  });
  return values === null ? null : toBody(values);
}

function toBody(values: Values): INewWorkspace {
  const { name = '', gpu = '', gpu_memory_mib: memory = '' } = values;
  const { queue = '', environment = '' } = values;
  return {
    name,
    ...(gpu === '' ? {} : { gpu }),
    ...(memory === '' ? {} : { gpu_memory_mib: numberOf(memory) as number }),
    ...(queue === '' ? {} : { project: queue }),
    preemptible: isYes(values.preemptible),
    ...conditions(values),
    ...(environment === '' ? {} : { environment })
  };
}
