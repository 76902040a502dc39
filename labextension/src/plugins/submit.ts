import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Dialog } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { TranslationBundle } from '@jupyterlab/translation';
import type {
  PartialJSONObject,
  ReadonlyPartialJSONObject
} from '@lumino/coreutils';

import { tell } from '../acting';
import { CommandIDs, NEW_ARGS } from '../commands';
import { gpuIcon } from '../icons';
import { toJson } from '../json';
import { changed, restoreDraft, toDraft } from '../submission/draft';
import { IEngineModel } from '../tokens';
import type { ISpecChange, IWorkload, IWorkloadSpec } from '../wire';
import type { SubmitWidget } from '../widgets/submit';

/** Where the last submission is remembered. */
const LAST = 'jupyter-runai:submission';

/** The field to begin at: the one that was refused, else the first. */
const TO_FILL_IN =
  '[aria-invalid="true"], form:not(:has([aria-invalid="true"])) input';

/** Submits workloads through a dialog; in the launcher, too. */
export const submitPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runai:submit',
  description: 'Submits GPU workloads through a dialog.',
  autoStart: true,
  requires: [IEngineModel],
  optional: [ITranslator, ILauncher, IStateDB],
  activate: (
    app: JupyterFrontEnd,
    model: IEngineModel,
    translator: ITranslator | null,
    launcher: ILauncher | null,
    state: IStateDB | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_runai');
    app.commands.addCommand(CommandIDs.newWorkload, {
      label: args =>
        args.isLauncher === true
          ? trans.__('New GPU workload')
          : trans.__('New GPU Workload…'),
      caption: trans.__('Submit a command as a workload on a share of a GPU'),
      icon: args => (args.isPalette === true ? undefined : gpuIcon),
      describedBy: { args: NEW_ARGS },
      execute: async args => {
        const dialog = { app, model, state, trans };
        await tell(submit(dialog, args));
      }
    });
    launcher?.add({
      command: CommandIDs.newWorkload,
      args: { isLauncher: true },
      category: trans.__('Other')
    });
  }
};

interface ISubmission {
  readonly app: JupyterFrontEnd;
  readonly model: IEngineModel;
  readonly state: IStateDB | null;
  readonly trans: TranslationBundle;
}

/** Let the user fill in the form, submit it and show what became of it. */
async function submit(
  submission: ISubmission,
  args: ReadonlyPartialJSONObject
): Promise<void> {
  const body = await form(submission, args);
  const workload = await fillIn(submission, body);
  if (workload !== null) {
    await submission.app.commands.execute(CommandIDs.openDetails, {
      workload: workload.id
    });
  }
}

/** Show the form until the engine takes what it says; null where the user gives up. */
async function fillIn(
  submission: ISubmission,
  body: SubmitWidget
): Promise<IWorkload | null> {
  const { model, state, trans } = submission;
  const dialog = new Dialog<IWorkloadSpec>({
    title: trans.__('New GPU workload'),
    body,
    focusNodeSelector: TO_FILL_IN,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.okButton({ label: trans.__('Submit') })
    ]
  });
  const { button, value } = await dialog.launch();
  if (!button.accept || value === null) {
    return null;
  }
  await state?.save(LAST, toJson(body.draft));
  try {
    return await model.requests.submit(value);
  } catch (error) {
    const { EngineError } = await import('../model/api');
    if (!(error instanceof EngineError)) {
      throw error;
    }
    return fillIn(submission, body.refused(error));
  }
}

/** The form, seeded with what is copied, else with what was submitted last. */
async function form(
  { model, state, trans }: ISubmission,
  { copy, change, command }: ReadonlyPartialJSONObject
): Promise<SubmitWidget> {
  const [{ SubmitWidget }, { SubmissionSchema }, schema] = await Promise.all([
    import('../widgets/submit'),
    import('../submission/schema'),
    model.requests.submissionSchema()
  ]);
  const fields = new SubmissionSchema(schema);
  if (typeof copy === 'string') {
    const spec = changed(
      await model.requests.specification(copy),
      (change ?? null) as Partial<ISpecChange> | null
    );
    const first = { ...toDraft(spec), name: '' };
    return new SubmitWidget({
      model,
      schema: fields,
      first,
      base: spec,
      trans
    });
  }
  const saved = await state?.fetch(LAST);
  const { default: root } = fields.field('cwd');
  const usual = toDraft({ cwd: typeof root === 'string' ? root : '.' });
  const last = restoreDraft(saved as PartialJSONObject | undefined, usual);
  const first = typeof command === 'string' ? { ...last, command } : last;
  return new SubmitWidget({ model, schema: fields, first, base: {}, trans });
}
