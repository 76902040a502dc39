import type { TranslationBundle } from '@jupyterlab/translation';
import { useMemo, useState } from 'react';
import type { JSX } from 'react';

import { toDraft } from '../../submission/draft';
import type { Draft } from '../../submission/draft';
import { fieldOfProblem } from '../../submission/schema';
import type { IFieldSchema } from '../../submission/schema';
import type { IEngineModel } from '../../tokens';
import type { IWorkloadSpec } from '../../wire';
import { Field } from './Field';
import { Forecast } from './Forecast';
import { useForecast } from './useSubmission';

/** What the fields hold, as people type it. */
export type Values = Readonly<Record<string, string>>;

/** A field of the form; its schema says which values it takes. */
export interface IAskField {
  readonly field: string;
  readonly label: string;
  readonly help: string;
  readonly schema?: IFieldSchema;
  readonly isRequired?: boolean;
}

/** What the form asks for. */
export interface IAskFormProps {
  readonly model: IEngineModel;
  readonly fields: readonly IAskField[];
  readonly first: Values;

  /** What people should know before they answer. */
  readonly note?: string;

  /** The values as a submission, of which is shown what would become of it now. */
  readonly foresee?: (values: Values) => Partial<IWorkloadSpec>;
  readonly trans: TranslationBundle;

  /** Told each change. */
  readonly change: (values: Values) => void;
}

/** The engine is asked about nothing. */
const NOTHING: Draft = toDraft({});

/** A few fields, and what would become of what they hold. */
export function AskForm(props: IAskFormProps): JSX.Element {
  const { model, fields, first, note, foresee, trans, change } = props;
  const [values, setValues] = useState(first);
  const spec = useMemo(() => foresee?.(values) ?? {}, [foresee, values]);
  const draft = useMemo(
    () => (foresee === undefined ? NOTHING : toDraft(spec)),
    [foresee, spec]
  );
  const forecast = useForecast(model, draft, spec);
  const { problem } = forecast;
  const wrong = problem === null ? null : fieldOfProblem(problem.message);
  return (
    <form
      className="jp-Runai-submit"
      onSubmit={event => {
        event.preventDefault();
      }}
    >
      {note === undefined ? null : <p className="jp-Runai-note">{note}</p>}
      {fields.map(({ schema = {}, isRequired = false, ...words }) => (
        <Field
          key={words.field}
          {...words}
          schema={schema}
          isRequired={isRequired}
          value={values[words.field] ?? ''}
          problem={wrong === words.field ? (problem?.message ?? null) : null}
          change={value => {
            const next = { ...values, [words.field]: value };
            setValues(next);
            change(next);
          }}
        />
      ))}
      {foresee === undefined ? null : (
        <Forecast
          forecast={forecast}
          problem={fields.some(({ field }) => field === wrong) ? null : problem}
          isEmpty={false}
          trans={trans}
        />
      )}
    </form>
  );
}
