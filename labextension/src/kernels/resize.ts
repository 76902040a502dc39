import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { ask } from '../ask';
import { formatRequest } from '../format/share';
import { amountOf } from '../submission/draft';
import type { IEngineModel } from '../tokens';
import type { ITaskRequest, IWorkload } from '../wire';

/** Change what a workload asks for to that, else to what the user says; tells what came of it. */
export async function resize(
  model: IEngineModel,
  workload: IWorkload,
  gpu: string | null,
  trans: TranslationBundle
): Promise<void> {
  const asked = gpu ?? (await askAmount(model, workload, trans));
  if (asked === null) {
    return;
  }
  const request: ITaskRequest = {
    ...workload.request,
    gpu: amountOf(asked),
    gpu_memory_mib: 0,
    gpu_memory_limit_mib: 0,
    mig: {}
  };
  const resized = await model.requests.resize(workload.id, request);
  const amount = formatRequest(request, trans);
  Notification.info(
    resized.applied === 'now'
      ? trans.__('%1 has %2 GPU now.', workload.name, amount)
      : trans.__(
          '%1 has %2 GPU from its next start on: %3.',
          workload.name,
          amount,
          resized.reason
        )
  );
}

async function askAmount(
  model: IEngineModel,
  workload: IWorkload,
  trans: TranslationBundle
): Promise<string | null> {
  const values = await ask({
    model,
    title: trans.__('Change the GPU share of %1', workload.name),
    accept: trans.__('Change'),
    note: trans.__(
      'At once where that is possible, else from its next start on.'
    ),
    fields: [
      {
        field: 'gpu',
        label: trans.__('GPU'),
        help: trans.__('A share such as 0.5, or whole devices such as 2'),
        isRequired: true
      }
    ],
    first: { gpu: String(workload.request.gpu ?? '') },
    trans
  });
  return values?.gpu ?? null;
}
