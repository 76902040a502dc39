import { amountOf, numberOf, textOf } from '../submission/draft';
import { priorityNumber } from '../submission/filling';
import type { Values } from '../submission/filling';
import type { ICatalog, ITaskRequest, ITemplate, IWorkloadSpec } from '../wire';
import { optionIn } from './runLine';

/** As much of a cell's run as decides where it would be and when; what is left empty a template says. */
export function foreseeCell(
  values: Values,
  { templates }: ICatalog
): IWorkloadSpec {
  const { verb, gpu = '', tasks = '', rest = '' } = values;
  const template = templates.find(({ name }) => name === values.template);
  const [least = '', most = least] = (
    tasks === '' ? textOf(template?.workers) : tasks
  ).split(':');
  const queue = optionIn(rest, '-p', '--project') ?? template?.project ?? '';
  const priority = priorityNumber(
    optionIn(rest, '--priority') ?? template?.priority ?? ''
  );
  const longest = template?.max_time ?? null;
  return {
    command: ['python'],
    cwd: '.',
    kind: verb === 'run' ? 'interactive' : 'training',
    ...(queue === '' ? {} : { queue }),
    ...(priority === null ? {} : { priority }),
    ...(longest === null ? {} : { max_run_s: longest }),
    request: amount(gpu, rest, template),
    ...(most === '' ? {} : { tasks: numberOf(most) as number }),
    ...(most === least ? {} : { min_tasks: numberOf(least) as number })
  };
}

/** What of a device it asks for, as far as it is known before it runs. */
function amount(
  gpu: string,
  rest: string,
  template: ITemplate | undefined
): ITaskRequest {
  if (gpu === 'auto' || optionIn(rest, '--gpu-memory') !== undefined) {
    return {};
  }
  if (gpu !== '') {
    return { gpu: amountOf(gpu) };
  }
  const { gpu: share = null, gpu_memory: memory = null } = template ?? {};
  return memory === null ? { gpu: share ?? 0 } : { gpu_memory_mib: memory };
}
