import type { TranslationBundle } from '@jupyterlab/translation';

import { ask } from '../ask';
import type { IAskField } from '../components/submit/AskForm';
import { catalogFields } from '../components/submit/catalogFields';
import { catalogOf } from '../submission/catalog';
import { joinCommand } from '../submission/command';
import type { Values } from '../submission/filling';
import type { IEngineModel } from '../tokens';
import type { ICatalog } from '../wire';
import { foreseeCell } from './foreseeCell';
import type { IRunLine } from './runLine';

/** Let the user say what a cell is to run on; null where they give up. */
export async function askRunLine(
  model: IEngineModel,
  first: IRunLine,
  trans: TranslationBundle
): Promise<IRunLine | null> {
  const catalog = await catalogOf(model);
  const values = await ask({
    model,
    title: trans.__('Run cell on GPU'),
    accept: trans.__('Run'),
    catalog,
    fields: [
      ...catalogFields(catalog, null, trans, trans.__('none but a template’s')),
      ...fields(trans)
    ],
    first: toValues(withKnownNames(first, catalog)),
    foresee: said => foreseeCell(said, catalog),
    trans
  });
  return values === null ? null : toLine(values);
}

function toValues({ workers, detach, ...words }: IRunLine): Values {
  return { ...words, tasks: workers, detach: detach ? 'yes' : '' };
}

function toLine(values: Values): IRunLine {
  const { verb = '', template = '', environment = '', gpu = '' } = values;
  const { tasks = '', outputs = '', detach = '', rest = '' } = values;
  return {
    verb,
    template,
    environment,
    gpu,
    workers: tasks,
    outputs,
    detach: detach !== '',
    rest
  };
}

/** A line's words, of which a field has those names that the catalog knows. */
function withKnownNames(line: IRunLine, catalog: ICatalog): IRunLine {
  const { templates, environments } = catalog;
  const isKnown = (
    named: readonly { readonly name: string }[],
    name: string
  ): boolean => named.some(each => each.name === name);
  const template = isKnown(templates, line.template) ? line.template : '';
  const environment = isKnown(environments, line.environment)
    ? line.environment
    : '';
  const unknown = [
    ...(template === line.template ? [] : ['--template', line.template]),
    ...(environment === line.environment
      ? []
      : ['--environment', line.environment])
  ];
  const rest = [joinCommand(unknown), line.rest].filter(text => text !== '');
  return { ...line, template, environment, rest: rest.join(' ') };
}

function fields(trans: TranslationBundle): IAskField[] {
  return [
    {
      field: 'gpu',
      label: trans.__('GPU'),
      help: trans.__(
        'A share such as 0.5, whole devices such as 2, or auto; empty for none, or for what a template says'
      )
    },
    {
      field: 'tasks',
      label: trans.__('Workers'),
      help: trans.__(
        'So many run it together, each with the GPU above; 2:8 for what there is'
      )
    },
    {
      field: 'verb',
      label: trans.__('As'),
      help: trans.__('A training can be preempted, a run goes before it'),
      schema: { enum: ['train', 'run'], default: 'train' }
    },
    {
      field: 'outputs',
      label: trans.__('Bring back'),
      help: trans.__('Variables, such as: model, scores')
    },
    {
      field: 'detach',
      label: trans.__('Detach'),
      help: trans.__('Submit it and go on to the next cell'),
      schema: { type: 'boolean' }
    },
    {
      field: 'rest',
      label: trans.__('More options'),
      help: trans.__('As in the cell’s line, such as: --project vision')
    }
  ];
}
