import type { TranslationBundle } from '@jupyterlab/translation';

import type { IAskField, Values } from '../components/submit/AskForm';
import { amountOf } from '../submission/draft';
import type { IEngineModel } from '../tokens';
import type { IWorkloadSpec } from '../wire';

/** What has to be known of a kernel on a share of a device. */
export function shareFields(
  model: IEngineModel,
  trans: TranslationBundle
): IAskField[] {
  return [
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
      help: trans.__('Others may take its GPU; it then waits and starts anew'),
      schema: { type: 'boolean' }
    }
  ];
}

/** As much of such a kernel as decides where it would run and when. */
export function foreseeKernel(values: Values): Partial<IWorkloadSpec> {
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
