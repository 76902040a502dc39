import type { TranslationBundle } from '@jupyterlab/translation';

import type { IAskField } from '../components/submit/AskForm';
import { amountOf, numberOf, textOf } from '../submission/draft';
import { PRIORITIES, priorityNumber } from '../submission/filling';
import type { Values } from '../submission/filling';
import type { IEngineModel } from '../tokens';
import type {
  IConditions,
  IPriorityName,
  IWorkloadSpec,
  IWorkspace
} from '../wire';

/** The least priority at which work is not preempted. */
const NON_PREEMPTIBLE = 100;

/** What is asked of a kernel on a share of a device, where nothing is known of it yet. */
export const USUAL_SHARE: Values = {
  template: '',
  environment: '',
  gpu: '0.5',
  gpu_memory_mib: '',
  queue: '',
  preemptible: '',
  priority: '',
  max_run_s: ''
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

/** What else can be said of it. */
export function moreShareFields(trans: TranslationBundle): IAskField[] {
  const named = Object.entries(PRIORITIES).map(
    ([name, priority]) => [String(priority), name] as const
  );
  return [
    {
      field: 'priority',
      label: trans.__('Priority'),
      help: trans.__('Below high others may take its GPU'),
      schema: { enum: ['', ...named.map(([value]) => value)], default: '' },
      names: { '': trans.__('the usual one'), ...Object.fromEntries(named) }
    },
    {
      field: 'max_run_s',
      label: trans.__('Run time at most (s)'),
      help: trans.__('Empty for as long as it is used'),
      schema: { type: 'integer' }
    }
  ];
}

/** What those fields say, as it is asked for. */
export function conditions({
  priority = '',
  max_run_s: longest = ''
}: Values): IConditions {
  const name = Object.entries(PRIORITIES).find(
    ([, number]) => String(number) === priority
  )?.[0] as IPriorityName | undefined;
  return {
    ...(name === undefined ? {} : { priority: name }),
    ...(longest === '' ? {} : { max_time_s: numberOf(longest) as number })
  };
}

/** On what conditions a workspace was asked for, by those fields; the box is for what its priority does not say. */
export function conditionsOf(workspace: IWorkspace): Values {
  const { preemptible, priority, max_time_s: longest } = workspace;
  const isByPriority =
    priority !== null && PRIORITIES[priority] < NON_PREEMPTIBLE;
  return {
    preemptible: preemptible && !isByPriority ? 'yes' : '',
    priority: priority === null ? '' : textOf(priorityNumber(priority)),
    max_run_s: textOf(longest)
  };
}

/** As much of such a kernel as decides where it would run and when. */
export function foreseeKernel(values: Values): IWorkloadSpec {
  const { gpu = '', gpu_memory_mib: memory = '', queue = '' } = values;
  const { priority = '', max_run_s: longest = '' } = values;
  const isPreemptible = isYes(values.preemptible);
  return {
    command: ['python'],
    cwd: '.',
    name: values.name ?? '',
    kind: 'workspace',
    ...(queue === '' ? {} : { queue }),
    // What goes with a priority that was chosen counts where nothing else is said.
    ...(priority === '' || isPreemptible ? { preemptible: isPreemptible } : {}),
    ...(priority === '' ? {} : { priority: numberOf(priority) as number }),
    ...(numberOf(longest) === 0
      ? {}
      : { max_run_s: numberOf(longest) as number }),
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
