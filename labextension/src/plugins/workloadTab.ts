import type { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget } from '@jupyterlab/apputils';
import type { WidgetTracker } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';

import { CommandIDs } from '../commands';
import type { WorkloadActions } from '../components/actions';
import type { IEngineModel } from '../tokens';
import type { IWorkload } from '../wire';

/** A widget that shows one workload, named by its id. */
export type WorkloadWidget = Widget & { readonly workload: string };

/** Let the user choose one of their own workloads; its id, null for none. */
export async function chooseMine(
  model: IEngineModel,
  title: string,
  trans: TranslationBundle
): Promise<string | null> {
  const { chooseWorkload } = await import('../choose');
  return chooseWorkload(
    model.workloads.filter(each => model.isMine(each)),
    title,
    trans
  );
}

/** What a command does for one workload. */
export function forOne(
  { commands }: JupyterFrontEnd,
  command: string
): (workload: IWorkload) => void {
  return ({ id }) => {
    void commands.execute(command, { workload: id });
  };
}

/** What people can do with a workload wherever it is shown. */
export function workloadActions(app: JupyterFrontEnd): WorkloadActions {
  return {
    stop: forOne(app, CommandIDs.stopWorkload),
    suspend: forOne(app, CommandIDs.suspendWorkload),
    resume: forOne(app, CommandIDs.resumeWorkload),
    snooze: forOne(app, CommandIDs.snoozeWorkload)
  };
}

/** Show a workload in a tab: the one that has it, else a new one with what `make` gives. */
export async function showTab<T extends WorkloadWidget>(
  { shell }: JupyterFrontEnd,
  tracker: WidgetTracker<MainAreaWidget<T>>,
  workload: string,
  make: () => T
): Promise<void> {
  const known = tracker.find(({ content }) => content.workload === workload);
  if (known) {
    shell.activateById(known.id);
    return;
  }
  const widget = new MainAreaWidget({ content: make() });
  widget.toolbar.hide();
  widget.id = `jp-${tracker.namespace}-${workload}`;
  shell.add(widget, 'main');
  shell.activateById(widget.id);
  await tracker.add(widget);
}
