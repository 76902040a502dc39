import type { ICatalog, IEnvironment, IPriorityName, ITemplate } from '../wire';

/** What the fields of a form hold, as people type it. */
export type Values = Readonly<Record<string, string>>;

/** Who has filled a field in, and what it held before. */
export interface IOrigin {
  readonly by: 'template' | 'environment';
  readonly name: string;
  readonly before: string;
}

/** A form's values, and who has filled in those that nobody typed. */
export interface IFilling<V extends Values = Values> {
  readonly values: V;
  readonly origins: Readonly<Record<string, IOrigin>>;
}

/** The engine's numbers of the priorities that templates name. */
export const PRIORITIES: Readonly<Record<IPriorityName, number>> = {
  'very-low': 25,
  low: 40,
  'medium-low': 65,
  medium: 80,
  'medium-high': 90,
  high: 125,
  'very-high': 150
};

/** The engine's number of a priority; null where it has no such name, as another version's may. */
export function priorityNumber(name: string): number | null {
  const numbers: Readonly<Record<string, number>> = PRIORITIES;
  return numbers[name] ?? null;
}

/** A form that nothing but people have filled in. */
export function typed<V extends Values>(values: V): IFilling<V> {
  return { values, origins: {} };
}

/** A form in which somebody has changed a field; a template or an environment fills in others, too. */
export function withValue<V extends Values>(
  filling: IFilling<V>,
  field: string,
  value: string,
  catalog: ICatalog
): IFilling<V> {
  const others = Object.entries(filling.origins).filter(
    ([name]) => name !== field
  );
  const next = {
    values: { ...filling.values, [field]: value },
    origins: Object.fromEntries(others)
  };
  switch (field) {
    case 'template':
      return likeTemplate(next, value, catalog);
    case 'environment':
      return inEnvironment(next, catalog);
    default:
      return next;
  }
}

/** The environment that a form names; undefined for none. */
export function environmentOf(
  { environment }: Values,
  { environments }: ICatalog
): IEnvironment | undefined {
  return environments.find(({ name }) => name === environment);
}

function likeTemplate<V extends Values>(
  filling: IFilling<V>,
  name: string,
  catalog: ICatalog
): IFilling<V> {
  const template = catalog.templates.find(each => each.name === name);
  const bare = takenBack(filling, 'template');
  const next =
    template === undefined
      ? bare
      : filledIn(bare, 'template', name, ofTemplate(template));
  return next.values.environment === filling.values.environment
    ? next
    : inEnvironment(next, catalog);
}

function inEnvironment<V extends Values>(
  filling: IFilling<V>,
  catalog: ICatalog
): IFilling<V> {
  const bare = takenBack(filling, 'environment');
  const { name = '', folder = null } =
    environmentOf(bare.values, catalog) ?? {};
  return folder === null
    ? bare
    : filledIn(bare, 'environment', name, { cwd: folder });
}

/** What it says takes the place of what the form has fields for. */
function filledIn<V extends Values>(
  { values, origins }: IFilling<V>,
  by: IOrigin['by'],
  name: string,
  said: Values
): IFilling<V> {
  const here = Object.entries(said).filter(([field]) => field in values);
  const filled = here.map(([field]) => {
    const before = values[field] ?? '';
    return [field, { by, name, before }] as const;
  });
  return {
    values: { ...values, ...Object.fromEntries(here) },
    origins: { ...origins, ...Object.fromEntries(filled) }
  };
}

/** What it has filled in, and nobody has changed since, is as it was before. */
function takenBack<V extends Values>(
  { values, origins }: IFilling<V>,
  by: IOrigin['by']
): IFilling<V> {
  const all = Object.entries(origins);
  const before = all
    .filter(([, origin]) => origin.by === by)
    .map(([field, origin]) => [field, origin.before] as const);
  return {
    values: { ...values, ...Object.fromEntries(before) },
    origins: Object.fromEntries(all.filter(([, origin]) => origin.by !== by))
  };
}

/** A template's part of a submission by the fields of forms. */
function ofTemplate(template: ITemplate): Values {
  const { gpu, gpu_memory: memory, priority } = template;
  const hasAmount = gpu !== null || memory !== null;
  const fields: Readonly<Record<string, string | number | null>> = {
    kind: template.kind,
    queue: template.project,
    gpu: gpu ?? (hasAmount ? '' : null),
    gpu_memory_mib: memory ?? (hasAmount ? '' : null),
    tasks: template.workers,
    retries: template.retries,
    max_run_s: template.max_time,
    priority: priority === null ? null : priorityNumber(priority),
    environment: template.environment
  };
  return Object.fromEntries(
    Object.entries(fields).flatMap(([field, value]) =>
      value === null ? [] : [[field, String(value)] as const]
    )
  );
}
