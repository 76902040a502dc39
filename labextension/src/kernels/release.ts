import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IEngineModel } from '../tokens';
import type { IWorkload } from '../wire';

/** Let a kernel give its devices back, once the user has agreed to lose what it has in memory. */
export async function release(
  model: IEngineModel,
  workload: IWorkload,
  trans: TranslationBundle
): Promise<void> {
  const { button } = await showDialog({
    title: trans.__('Release the GPU of %1?', workload.name),
    body: trans.__(
      'The kernel stops, and what is in its memory is lost. It starts anew when it takes a GPU again.'
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Release GPU') })
    ]
  });
  if (button.accept) {
    await model.requests.suspend(workload.id);
  }
}
