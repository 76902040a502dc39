import type { TranslationBundle } from '@jupyterlab/translation';

import type { IAskField } from '../components/submit/AskForm';
import { amountOf, numberOf } from '../submission/draft';
import type { Values } from '../submission/filling';
import type { IEngineModel } from '../tokens';
import type { IWorkloadSpec } from '../wire';

/** What is asked of a kernel on a share of a device, where nothing is known of it yet. */
export const USUAL_SHARE: Values = {
  template: '',
  environment: '',
  gpu: '0.5',
  gpu_memory_mib: '',
  queue: '',
  preemptible: ''
};

/** What has to be known of a kernel on a share of a device. */
export function shareFields(
  model: IEngineModel,
  trans: TranslationBundle
): IAskField[] {
  return [
    {
      field: 'gpu',
      label: trans.__('GPU'),
      help: trans.__('A share such as 0.5, or whole devices such as 2')
    },
    {
      field: 'gpu_memory_mib',
      label: trans.__('GPU memory (MiB)'),
      help: trans.__('Instead of a share'),
      schema: { type: 'integer' }
    },
    {
      field: 'queue',
      label: trans.__('Project'),
      help: trans.__('Whose quota it takes'),
      schema: { enum: ['', ...projects(model)], default: '' },
      names: { '': trans.__('my usual one') }
    },
    {
      field: 'preemptible',
      label: trans.__('Preemptible'),
      help: trans.__('Others may take its GPU; it then waits and starts anew'),
      schema: { type: 'boolean' }
    }
  ];
}

/** As much of such a kernel as decides where it would run and when. */
export function foreseeKernel(values: Values): IWorkloadSpec {
  const { gpu = '', gpu_memory_mib: memory = '', queue = '' } = values;
  return {
    command: ['python'],
    cwd: '.',
    name: values.name ?? '',
    kind: 'workspace',
    ...(queue === '' ? {} : { queue }),
    preemptible: isYes(values.preemptible),
    request: {
      ...(gpu === '' ? {} : { gpu: amountOf(gpu) }),
      ...(memory === '' ? {} : { gpu_memory_mib: numberOf(memory) as number })
    }
  };
}

/** Whether a box is ticked. */
export function isYes(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}

/** The queues that workloads can be submitted to. */
function projects({ queues }: IEngineModel): string[] {
  const departments = new Set(queues.map(({ parent }) => parent));
  return queues.map(({ name }) => name).filter(name => !departments.has(name));
}
