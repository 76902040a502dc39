import { InputDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { stateWord } from './format/words';
import { inOrder } from './model/workloads';
import type { IWorkload } from './wire';

/** Let the user choose one of these workloads; its id, null for none. */
export async function chooseWorkload(
  workloads: readonly IWorkload[],
  title: string,
  trans: TranslationBundle
): Promise<string | null> {
  const ordered = inOrder(workloads);
  const labels = ordered.map(workload =>
    trans.__('%1 (%2)', workload.name, stateWord(workload, trans))
  );
  // Names come again; the one that is chosen has to be the one that is meant.
  const items = labels.map((label, place) =>
    labels.indexOf(label) === labels.lastIndexOf(label)
      ? label
      : [label, ordered[place]?.id].join(' · ')
  );
  const { value } = await InputDialog.getItem({ title, items });
  const chosen = value === null ? -1 : items.indexOf(value);
  return ordered[chosen]?.id ?? null;
}

/** Let the user choose one of these names; null for none. */
export async function chooseName(
  names: readonly string[],
  title: string
): Promise<string | null> {
  const { value } = await InputDialog.getItem({ title, items: [...names] });
  return value;
}
