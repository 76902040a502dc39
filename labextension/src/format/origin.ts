import type { TranslationBundle } from '@jupyterlab/translation';

import type { IOrigin } from '../submission/filling';
import type { IClause, IEnvironment } from '../wire';

/** What policies call the fields of forms. */
const POLICY_FIELDS: Readonly<Record<string, readonly string[]>> = {
  name: ['name'],
  gpu: ['gpu'],
  tasks: ['workers', 'devices'],
  retries: ['retries'],
  priority: ['priority'],
  preemptible: ['preemptible'],
  max_run_s: ['max_time']
};

/** Who has filled a field in. */
export function originWords(
  { by, name }: IOrigin,
  trans: TranslationBundle
): string {
  return by === 'template'
    ? trans.__('From the template %1', name)
    : trans.__('From the environment %1', name);
}

/** What an environment has, for people who choose one. */
export function environmentWords(environment: IEnvironment): string {
  const { python, packages, variables } = environment;
  const given = Object.entries(variables).map(([name, value]) =>
    [name, value].join('=')
  );
  return [...(python === null ? [] : [python]), ...packages, ...given].join(
    ' · '
  );
}

/** What policies say of a field, and who does. */
export function policyWords(
  field: string,
  clauses: readonly IClause[],
  trans: TranslationBundle
): string[] {
  const names = POLICY_FIELDS[field] ?? [];
  return clauses
    .filter(clause => names.includes(clause.field))
    .flatMap(clause => sentence(clause, trans));
}

function sentence(
  { field, rule, value, source }: IClause,
  trans: TranslationBundle
): string[] {
  switch (rule) {
    case 'default':
      return [trans.__('Empty for %1, says %2', value, source)];
    case 'min':
      return [trans.__('At least %1, says %2', value, source)];
    case 'max':
      return [
        field === 'devices'
          ? trans.__('All together at most %1 devices, says %2', value, source)
          : trans.__('At most %1, says %2', value, source)
      ];
    case 'options':
      return [trans.__('One of %1, says %2', value, source)];
    case 'required':
      return [trans.__('Has to be said, says %1', source)];
    default:
      return [];
  }
}
