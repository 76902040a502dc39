import { useId } from 'react';
import type { JSX } from 'react';

import type { IFieldSchema } from '../../submission/schema';

/** A field of a form. */
export interface IFieldProps {
  readonly field: string;
  readonly label: string;
  readonly help: string;
  readonly schema: IFieldSchema;
  readonly isRequired: boolean;
  readonly value: string;

  /** What is wrong with it; null where nothing is. */
  readonly problem: string | null;

  /** Where its value comes from, and what holds for it. */
  readonly notes?: readonly string[];

  /** What its values are called, where they have names of their own. */
  readonly names?: Readonly<Record<string, string>>;
  readonly change: (value: string) => void;
}

/** A labelled field with what is wrong with it, else what it is for, below. */
export function Field(props: IFieldProps): JSX.Element {
  const { label, help, schema, problem, notes = [] } = props;
  const id = useId();
  return (
    <div className="jp-Runai-field">
      <label htmlFor={id}>{label}</label>
      <Input {...props} id={id} />
      <p
        id={`${id}-help`}
        className={problem === null ? 'jp-Runai-hint' : 'jp-Runai-fieldProblem'}
        role={problem === null ? undefined : 'alert'}
      >
        {problem ?? help}
        {schema.maximum === undefined || problem !== null
          ? null
          : ` (≤ ${schema.maximum})`}
      </p>
      {notes.length === 0 ? null : (
        <ul id={`${id}-notes`} className="jp-Runai-fieldNotes">
          {notes.map(note => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Input(props: IFieldProps & { readonly id: string }): JSX.Element {
  const { id, field, schema, isRequired, value, problem } = props;
  const { notes = [], names, change } = props;
  const common = {
    id,
    value,
    'aria-describedby':
      notes.length === 0 ? `${id}-help` : `${id}-help ${id}-notes`,
    'aria-invalid': problem !== null,
    required: isRequired
  };
  if (schema.enum !== undefined) {
    return (
      <select
        {...common}
        value={value === '' ? String(schema.default) : value}
        onChange={({ currentTarget }) => {
          change(currentTarget.value);
        }}
      >
        {schema.enum.map(each => (
          <option key={each} value={each}>
            {names?.[each] ?? each}
          </option>
        ))}
      </select>
    );
  }
  if (schema.type === 'boolean') {
    return (
      <input
        {...common}
        value={undefined}
        type="checkbox"
        checked={value !== ''}
        onChange={({ currentTarget }) => {
          change(currentTarget.checked ? 'yes' : '');
        }}
      />
    );
  }
  const isNumber = schema.type === 'integer' && !field.startsWith('gpu');
  return (
    <input
      {...common}
      type="text"
      inputMode={isNumber ? 'numeric' : 'text'}
      spellCheck={false}
      placeholder={placeholder(schema)}
      onChange={({ currentTarget }) => {
        change(currentTarget.value);
      }}
    />
  );
}

function placeholder({ default: usual }: IFieldSchema): string {
  return (typeof usual === 'string' || typeof usual === 'number') && usual !== 0
    ? String(usual)
    : '';
}
