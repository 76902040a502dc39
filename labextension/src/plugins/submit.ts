import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
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
import { changed, restoreDraft, toDraft, toSpec } from '../submission/draft';
import type { Draft } from '../submission/draft';
import { environmentOf } from '../submission/filling';
import type { Values } from '../submission/filling';
import type { SubmissionSchema } from '../submission/schema';
import { IEngineModel } from '../tokens';
import type {
  ICatalog,
  IProblem,
  ISpecChange,
  IWorkload,
  IWorkloadSpec
} from '../wire';

/** Where the last submission is remembered. */
const LAST = 'jupyter-runai:submission';

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

/** What the form begins with. */
interface IBeginning {
  readonly first: Draft;

  /** What of a copied submission the form has no fields for. */
  readonly base: Partial<IWorkloadSpec>;
}

/** Let the user fill in the form, submit it and show what became of it. */
async function submit(
  submission: ISubmission,
  args: ReadonlyPartialJSONObject
): Promise<void> {
  const { app, model } = submission;
  const [{ SubmissionSchema }, { catalogOf }, schema] = await Promise.all([
    import('../submission/schema'),
    import('../submission/catalog'),
    model.requests.submissionSchema()
  ]);
  const fields = new SubmissionSchema(schema);
  const catalog = await catalogOf(model);
  const { first, base } = await beginning(submission, fields, args);
  const known = catalog.environments.map(({ name }) => name);
  const environment = known.includes(first.environment)
    ? first.environment
    : '';
  const workload = await fillIn(submission, fields, catalog, {
    first: { ...first, environment },
    base
  });
  if (workload !== null) {
    await app.commands.execute(CommandIDs.openDetails, {
      workload: workload.id
    });
  }
}

/** Show the form until the engine takes what it says; null where the user gives up. */
async function fillIn(
  submission: ISubmission,
  schema: SubmissionSchema,
  catalog: ICatalog,
  { first, base }: IBeginning,
  refusal?: IProblem
): Promise<IWorkload | null> {
  const { model, state, trans } = submission;
  const [{ ask }, { mainFields, moreFields, withSchema }, { catalogFields }] =
    await Promise.all([
      import('../ask'),
      import('../components/submit/fields'),
      import('../components/submit/catalogFields')
    ]);
  const foresee = (values: Values): IWorkloadSpec =>
    toSpec({ ...first, ...values }, base, environmentOf(values, catalog));
  const values = await ask({
    model,
    title: trans.__('New GPU workload'),
    accept: trans.__('Submit'),
    catalog,
    fields: [
      ...catalogFields(catalog, null, trans),
      ...withSchema(schema, mainFields(trans))
    ],
    more: withSchema(schema, moreFields(trans)),
    first,
    ...(refusal && { refusal }),
    foresee,
    trans
  });
  if (values === null) {
    return null;
  }
  await state?.save(LAST, toJson(values));
  try {
    return await model.requests.submit(foresee(values));
  } catch (error) {
    const { EngineError } = await import('../model/api');
    if (!(error instanceof EngineError)) {
      throw error;
    }
    const again = { first: { ...first, ...values }, base };
    return fillIn(submission, schema, catalog, again, error);
  }
}

/** What is copied, else what was submitted last. */
async function beginning(
  { model, state }: ISubmission,
  schema: SubmissionSchema,
  { copy, change, command }: ReadonlyPartialJSONObject
): Promise<IBeginning> {
  if (typeof copy === 'string') {
    const spec = changed(
      await model.requests.specification(copy),
      (change ?? null) as Partial<ISpecChange> | null
    );
    return { first: { ...toDraft(spec), name: '' }, base: spec };
  }
  const saved = await state?.fetch(LAST);
  const { default: root } = schema.field('cwd');
  const usual = toDraft({ cwd: typeof root === 'string' ? root : '.' });
  const last = restoreDraft(saved as PartialJSONObject | undefined, usual);
  const first = typeof command === 'string' ? { ...last, command } : last;
  return { first, base: {} };
}
