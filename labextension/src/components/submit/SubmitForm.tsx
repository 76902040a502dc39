import type { TranslationBundle } from '@jupyterlab/translation';
import { useState } from 'react';
import type { JSX } from 'react';

import type { Draft, DraftField } from '../../submission/draft';
import { fieldOfProblem } from '../../submission/schema';
import type { SubmissionSchema } from '../../submission/schema';
import type { IEngineModel } from '../../tokens';
import type { IProblem, IWorkloadSpec } from '../../wire';
import { Field } from './Field';
import { Forecast } from './Forecast';
import { mainFields, moreFields } from './fields';
import type { IFieldWords } from './fields';
import { useForecast } from './useSubmission';

/** What the form is about. */
export interface ISubmitFormProps {
  readonly model: IEngineModel;
  readonly schema: SubmissionSchema;
  readonly first: Draft;

  /** What of a copied submission the form has no fields for. */
  readonly base: Partial<IWorkloadSpec>;

  /** Why the first draft was refused, if it was. */
  readonly refusal?: IProblem;
  readonly trans: TranslationBundle;

  /** Told each change. */
  readonly change: (draft: Draft) => void;
}

/** A submission as a form, with what would become of it now. */
export function SubmitForm(props: ISubmitFormProps): JSX.Element {
  const { model, schema, first, base, refusal, trans, change } = props;
  const [draft, setDraft] = useState(first);
  const forecast = useForecast(model, draft, base);
  const problem =
    draft === first && refusal !== undefined ? refusal : forecast.problem;
  const wrong = problem === null ? null : fieldOfProblem(problem.message);
  const set = (field: DraftField, value: string): void => {
    const next = { ...draft, [field]: value };
    setDraft(next);
    change(next);
  };
  const shown = (words: IFieldWords): JSX.Element => (
    <Field
      key={words.field}
      {...words}
      schema={schema.field(words.field)}
      isRequired={schema.isRequired(words.field)}
      value={draft[words.field]}
      problem={wrong === words.field ? (problem?.message ?? null) : null}
      change={value => {
        set(words.field, value);
      }}
    />
  );
  const all = [...mainFields(trans), ...moreFields(trans)];
  const isPlaced = all.some(({ field }) => field === wrong);
  return (
    <form
      className="jp-Runai-submit"
      onSubmit={event => {
        event.preventDefault();
      }}
    >
      {mainFields(trans).map(shown)}
      <details open={moreFields(trans).some(({ field }) => field === wrong)}>
        <summary>{trans.__('More')}</summary>
        {moreFields(trans).map(shown)}
      </details>
      <Forecast
        forecast={forecast}
        problem={isPlaced ? null : problem}
        isEmpty={draft.command.trim() === ''}
        trans={trans}
      />
    </form>
  );
}
