import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { ask } from '../ask';
import { catalogFields } from '../components/submit/catalogFields';
import type { Values } from '../submission/filling';
import { catalogOf } from '../submission/catalog';
import { amountOf, numberOf } from '../submission/draft';
import type { IEngineModel } from '../tokens';
import type { ILeasedKernel } from '../wire';
import {
  USUAL_SHARE,
  conditions,
  foreseeKernel,
  isYes,
  moreShareFields,
  shareFields
} from './shareFields';

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
  const { gpu, project, preemptible, environment } = args;
  return typeof gpu === 'string'
    ? {
        gpu,
        queue: typeof project === 'string' ? project : '',
        preemptible: preemptible === true ? 'yes' : '',
        environment: typeof environment === 'string' ? environment : ''
      }
    : null;
}

function toBody(base: string, values: Values): ILeasedKernel {
  const { gpu = '', gpu_memory_mib: memory = '' } = values;
  const { queue = '', environment = '' } = values;
  return {
    base,
    ...(gpu === '' ? {} : { gpu: amountOf(gpu) }),
    ...(memory === '' ? {} : { gpu_memory_mib: numberOf(memory) as number }),
    ...(queue === '' ? {} : { project: queue }),
    preemptible: isYes(values.preemptible),
    ...conditions(values),
    ...(environment === '' ? {} : { environment })
  };
}

async function askWhat(start: IKernelStart): Promise<Values | null> {
  const { model, notebook, trans } = start;
  const kernel = notebook?.sessionContext.session?.kernel ?? null;
  const catalog = await catalogOf(model);
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
    catalog,
    fields: [
      ...catalogFields(catalog, 'workspace', trans),
      ...shareFields(model, trans)
    ],
    more: moreShareFields(trans),
    first: USUAL_SHARE,
    foresee: foreseeKernel,
    trans
  });
}
