import type { TranslationBundle } from '@jupyterlab/translation';

import type { IWorkload } from '../wire';
import { hasEnded, isWaiting } from '../model/workloads';
import { shortModel } from './device';
import { formatRequest } from './share';
import { ordinal, stateWord } from './words';

/** What a kernel holds: "0.5 GPU · A100 80GB #0", "waiting, 2nd", "no GPU". */
export function leaseWords(
  workload: IWorkload | null,
  trans: TranslationBundle
): string {
  if (workload === null || hasEnded(workload)) {
    return trans.__('no GPU');
  }
  const place = workload.verdict?.queue_position ?? null;
  if (isWaiting(workload) && place !== null) {
    return trans.__('waiting, %1', ordinal(place, trans));
  }
  if (workload.state !== 'running') {
    return stateWord(workload, trans);
  }
  const amount = formatRequest(workload.request, trans);
  const words = workload.request.gpu ? trans.__('%1 GPU', amount) : amount;
  const devices = deviceNames(workload, trans);
  return devices === '' ? words : trans.__('%1 · %2', words, devices);
}

function deviceNames(workload: IWorkload, trans: TranslationBundle): string {
  return (workload.allocation?.devices ?? [])
    .map(({ model, index }) =>
      workload.simulated
        ? trans.__('simulated %1 #%2', shortModel(model), String(index))
        : trans.__('%1 #%2', shortModel(model), String(index))
    )
    .join(', ');
}
