import type { TranslationBundle } from '@jupyterlab/translation';

import { ask } from '../ask';
import type { IAskField } from '../components/submit/AskForm';
import { catalogFields } from '../components/submit/catalogFields';
import { catalogOf } from '../submission/catalog';
import type { Values } from '../submission/filling';
import { amountOf, numberOf } from '../submission/draft';
import type { IEngineModel } from '../tokens';
import type { ICatalog, IWorkloadSpec } from '../wire';
import type { IRunLine } from './runLine';

/** Let the user say what a cell is to run on; null where they give up. */
export async function askRunLine(
  model: IEngineModel,
  first: IRunLine,
  trans: TranslationBundle
): Promise<IRunLine | null> {
  const catalog = await catalogOf(model);
  const values = await ask({
    model,
    title: trans.__('Run cell on GPU'),
    accept: trans.__('Run'),
    catalog,
    fields: [...catalogFields(catalog, null, trans), ...fields(trans)],
    first: toValues(first),
    foresee: said => foresee(said, catalog),
    trans
  });
  return values === null ? null : toLine(values);
}

function toValues({ workers, detach, ...words }: IRunLine): Values {
  return { ...words, tasks: workers, detach: detach ? 'yes' : '' };
}

function toLine(values: Values): IRunLine {
  const { verb = '', template = '', environment = '', gpu = '' } = values;
  const { tasks = '', outputs = '', detach = '', rest = '' } = values;
  return {
    verb,
    template,
    environment,
    gpu,
    workers: tasks,
    outputs,
    detach: detach !== '',
    rest
  };
}

/** As much of it as decides where it would run and when; a template says also what there is no field for. */
function foresee(values: Values, { templates }: ICatalog): IWorkloadSpec {
  const { verb, gpu = '', tasks = '' } = values;
  const [least = '', most = least] = tasks.split(':');
  const template = templates.find(({ name }) => name === values.template);
  const memory = gpu === '' ? (template?.gpu_memory ?? null) : null;
  const queue = template?.project ?? null;
  return {
    command: ['python'],
    cwd: '.',
    kind: verb === 'run' ? 'interactive' : 'training',
    ...(queue === null ? {} : { queue }),
    request:
      memory !== null
        ? { gpu_memory_mib: memory }
        : gpu === 'auto'
          ? {}
          : { gpu: amountOf(gpu) },
    ...(most === '' ? {} : { tasks: numberOf(most) as number }),
    ...(most === least ? {} : { min_tasks: numberOf(least) as number })
  };
}

function fields(trans: TranslationBundle): IAskField[] {
  return [
    {
      field: 'gpu',
      label: trans.__('GPU'),
      help: trans.__(
        'A share such as 0.5, whole devices such as 2, or auto; empty for none'
      )
    },
    {
      field: 'tasks',
      label: trans.__('Workers'),
      help: trans.__(
        'So many run it together, each with the GPU above; 2:8 for what there is'
      )
    },
    {
      field: 'verb',
      label: trans.__('As'),
      help: trans.__('A training can be preempted, a run goes before it'),
      schema: { enum: ['train', 'run'], default: 'train' }
    },
    {
      field: 'outputs',
      label: trans.__('Bring back'),
      help: trans.__('Variables, such as: model, scores')
    },
    {
      field: 'detach',
      label: trans.__('Detach'),
      help: trans.__('Submit it and go on to the next cell'),
      schema: { type: 'boolean' }
    },
    {
      field: 'rest',
      label: trans.__('More options'),
      help: trans.__('As in the cell’s line, such as: --project vision')
    }
  ];
}
