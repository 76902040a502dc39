import type { TranslationBundle } from '@jupyterlab/translation';

import type { ICatalog, Kind } from '../../wire';
import type { IAskField } from './AskForm';

/**
 * The choice of a template, of those for this kind of work, and of an environment; none where there are none.
 * `noEnvironment` is what it is called to choose none.
 */
export function catalogFields(
  { templates, environments }: ICatalog,
  kind: Kind | null,
  trans: TranslationBundle,
  noEnvironment = trans.__('none')
): IAskField[] {
  const fitting = templates.filter(
    template =>
      kind === null || template.kind === null || template.kind === kind
  );
  const choice = (
    field: string,
    label: string,
    help: string,
    named: readonly { readonly name: string }[],
    none = trans.__('none')
  ): IAskField[] =>
    named.length === 0
      ? []
      : [
          {
            field,
            label,
            help,
            schema: {
              enum: ['', ...named.map(({ name }) => name)],
              default: ''
            },
            names: { '': none }
          }
        ];
  return [
    ...choice(
      'template',
      trans.__('Template'),
      trans.__('Fills in what it says; you may change it'),
      fitting
    ),
    ...choice(
      'environment',
      trans.__('Environment'),
      trans.__('Its interpreter, variables and folder'),
      environments,
      noEnvironment
    )
  ];
}
