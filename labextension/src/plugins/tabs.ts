import type { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget } from '@jupyterlab/apputils';
import type { WidgetTracker } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';

import { CommandIDs } from '../commands';
import type { WorkloadActions } from '../components/actions';
import type { IEngineModel } from '../tokens';
import type { IWorkload } from '../wire';

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

/** What a command does, each time with these arguments. */
export function doing(
  { commands }: JupyterFrontEnd,
  command: string,
  args?: ReadonlyPartialJSONObject
): () => void {
  return () => {
    void commands.execute(command, args);
  };
}

/** What a command does for one workload, given by its id. */
export function forId(
  { commands }: JupyterFrontEnd,
  command: string
): (workload: string) => void {
  return workload => {
    void commands.execute(command, { workload });
  };
}

/** What a command does for one workload. */
export function forOne(
  app: JupyterFrontEnd,
  command: string
): (workload: IWorkload) => void {
  const act = forId(app, command);
  return ({ id }) => {
    act(id);
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

/** Show a widget in a tab of its own in the main area, where the tracker finds it again. */
export async function addTab<T extends Widget>(
  { shell }: JupyterFrontEnd,
  tracker: WidgetTracker<MainAreaWidget<T>>,
  id: string,
  content: T
): Promise<MainAreaWidget<T>> {
  const widget = new MainAreaWidget({ content });
  widget.id = id;
  widget.toolbar.hide();
  shell.add(widget, 'main');
  shell.activateById(id);
  await tracker.add(widget);
  return widget;
}
