import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { ask } from '../ask';
import type { Values } from '../components/submit/AskForm';
import { amountOf } from '../submission/draft';
import type { IEngineModel } from '../tokens';
import type { ILeasedKernel, IWorkloadSpec } from '../wire';

/** What it takes to start a kernel on a share of a device. */
export interface IKernelStart {
  readonly app: JupyterFrontEnd;
  readonly model: IEngineModel;

  /** The notebook whose kernel it is to be; null for a new one. */
  readonly notebook: NotebookPanel | null;
  readonly trans: TranslationBundle;
}

/** Start a notebook's kernel on what the arguments say, else on what the user says. */
export async function startKernel(
  start: IKernelStart,
  args: ReadonlyPartialJSONObject
): Promise<void> {
  const values = given(args) ?? (await askWhat(start));
  if (values === null) {
    return;
  }
  const { app, model, notebook } = start;
  const { kernelspecs } = app.serviceManager;
  const current = notebook?.sessionContext.session?.kernel?.name;
  const base = current ?? kernelspecs.specs?.default ?? 'python3';
  const { name } = await model.requests.leaseKernel(toBody(base, values));
  await kernelspecs.refreshSpecs();
  if (notebook === null) {
    await app.commands.execute('notebook:create-new', { kernelName: name });
    return;
  }
  // The notebook itself says why a kernel does not start.
  await notebook.sessionContext.changeKernel({ name }).catch(() => undefined);
}

function given(args: ReadonlyPartialJSONObject): Values | null {
  const { gpu, project, preemptible } = args;
  return typeof gpu === 'string'
    ? {
        gpu,
        queue: typeof project === 'string' ? project : '',
        preemptible: preemptible === true ? 'yes' : ''
      }
    : null;
}

function toBody(base: string, values: Values): ILeasedKernel {
  const { gpu = '', queue = '', preemptible = '' } = values;
  return {
    base,
    gpu: amountOf(gpu),
    ...(queue === '' ? {} : { project: queue }),
    preemptible: preemptible !== ''
  };
}

async function askWhat(start: IKernelStart): Promise<Values | null> {
  const { model, notebook, trans } = start;
  const kernel = notebook?.sessionContext.session?.kernel ?? null;
  return ask({
    model,
    title: trans.__('Start kernel with GPU'),
    accept: trans.__('Start kernel'),
    ...(kernel === null
      ? {}
      : {
          note: trans.__(
            'The kernel of %1 starts anew: what is in its memory is lost.',
            notebook?.title.label ?? ''
          )
        }),
    fields: [
      {
        field: 'gpu',
        label: trans.__('GPU'),
        help: trans.__('A share such as 0.5, or whole devices such as 2'),
        isRequired: true
      },
      {
        field: 'queue',
        label: trans.__('Project'),
        help: trans.__('Whose quota it takes'),
        schema: { enum: projects(model), default: 'default' }
      },
      {
        field: 'preemptible',
        label: trans.__('Preemptible'),
        help: trans.__(
          'Others may take its GPU; it then waits and starts anew'
        ),
        schema: { type: 'boolean' }
      }
    ],
    first: { gpu: '0.5', queue: '', preemptible: '' },
    foresee,
    trans
  });
}

/** As much of the kernel as decides where it would run and when. */
function foresee(values: Values): Partial<IWorkloadSpec> {
  const { gpu = '', queue = '', preemptible = '' } = values;
  return {
    command: ['python'],
    cwd: '.',
    kind: 'workspace',
    ...(queue === '' ? {} : { queue }),
    preemptible: preemptible !== '',
    request: { gpu: amountOf(gpu) }
  };
}

/** The queues that workloads can be submitted to. */
function projects({ queues }: IEngineModel): string[] {
  const departments = new Set(queues.map(({ parent }) => parent));
  return queues.map(({ name }) => name).filter(name => !departments.has(name));
}
