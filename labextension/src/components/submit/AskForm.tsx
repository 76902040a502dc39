import type { TranslationBundle } from '@jupyterlab/translation';
import { useMemo, useState } from 'react';
import type { JSX } from 'react';

import {
  environmentWords,
  originWords,
  policyWords
} from '../../format/origin';
import { NO_CATALOG } from '../../submission/catalog';
import { environmentOf, typed, withValue } from '../../submission/filling';
import type { IFilling, Values } from '../../submission/filling';
import { fieldOfProblem } from '../../submission/schema';
import type { IFieldSchema } from '../../submission/schema';
import type { IEngineModel } from '../../tokens';
import type { ICatalog, IProblem, IWorkloadSpec } from '../../wire';
import { Field } from './Field';
import { Forecast } from './Forecast';
import { MoreFields } from './MoreFields';
import { useForecast } from './useForecast';
import { usePolicy } from './usePolicy';

/** A field of the form; its schema says which values it takes. */
export interface IAskField {
  readonly field: string;
  readonly label: string;
  readonly help: string;
  readonly schema?: IFieldSchema;
  readonly isRequired?: boolean;

  /** What its values are called, where they have names of their own. */
  readonly names?: Readonly<Record<string, string>>;
}

/** What the form asks for. */
export interface IAskFormProps {
  readonly model: IEngineModel;
  readonly fields: readonly IAskField[];

  /** The fields for those who look for them. */
  readonly more?: readonly IAskField[];
  readonly first: Values;

  /** What the fields `template` and `environment` choose from. */
  readonly catalog?: ICatalog;

  /** What people should know before they answer. */
  readonly note?: string;

  /** Why the first values were refused, if they were. */
  readonly refusal?: IProblem;

  /** The values as a submission, of which is shown what would become of it now. */
  readonly foresee?: (values: Values) => IWorkloadSpec;
  readonly trans: TranslationBundle;

  /** Told each change. */
  readonly change: (values: Values) => void;
}

/** A few fields, and what would become of what they hold. */
export function AskForm(props: IAskFormProps): JSX.Element {
  const { model, fields, first, note, foresee, trans, change } = props;
  const { more = [], catalog = NO_CATALOG, refusal } = props;
  const [filling, setFilling] = useState(() => typed(first));
  const { values } = filling;
  const spec = useMemo(() => foresee?.(values) ?? null, [foresee, values]);
  const isEmpty = spec?.command.length === 0;
  const forecast = useForecast(model, isEmpty ? null : spec);
  const clauses = usePolicy(model, spec);
  const problem =
    values === first && refusal !== undefined ? refusal : forecast.problem;
  const wrong = problem === null ? null : fieldOfProblem(problem.message);
  const isWrong = ({ field }: IAskField): boolean => field === wrong;
  const isToBeSeen = ({ field }: IAskField): boolean =>
    field === wrong || field in filling.origins;
  const shown = (asked: IAskField): JSX.Element => (
    <Field
      key={asked.field}
      schema={{}}
      isRequired={false}
      {...asked}
      value={values[asked.field] ?? ''}
      problem={isWrong(asked) ? (problem?.message ?? null) : null}
      notes={[
        ...sources(filling, asked.field, catalog, trans),
        ...policyWords(asked.field, clauses, trans)
      ]}
      change={value => {
        const next = withValue(filling, asked.field, value, catalog);
        setFilling(next);
        change(next.values);
      }}
    />
  );
  return (
    <form
      className="jp-Runai-submit"
      onSubmit={event => {
        event.preventDefault();
      }}
    >
      {note === undefined ? null : <p className="jp-Runai-note">{note}</p>}
      {fields.map(shown)}
      {more.length === 0 ? null : (
        <MoreFields title={trans.__('More')} isToBeSeen={more.some(isToBeSeen)}>
          {more.map(shown)}
        </MoreFields>
      )}
      {foresee === undefined ? null : (
        <Forecast
          forecast={forecast}
          problem={[...fields, ...more].some(isWrong) ? null : problem}
          isEmpty={isEmpty}
          trans={trans}
        />
      )}
    </form>
  );
}

/** Where a field's value comes from, and what an environment that it names has. */
function sources(
  { values, origins }: IFilling,
  field: string,
  catalog: ICatalog,
  trans: TranslationBundle
): string[] {
  const origin = values[field] === '' ? undefined : origins[field];
  const chosen =
    field === 'environment' ? environmentOf(values, catalog) : undefined;
  return [
    ...(origin === undefined ? [] : [originWords(origin, trans)]),
    ...(chosen === undefined ? [] : [environmentWords(chosen)])
  ].filter(words => words !== '');
}
