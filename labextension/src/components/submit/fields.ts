import type { TranslationBundle } from '@jupyterlab/translation';

import type { DraftField } from '../../submission/draft';
import type { SubmissionSchema } from '../../submission/schema';
import type { IAskField } from './AskForm';

interface IFieldWords extends IAskField {
  readonly field: DraftField;
}

/** Fields of a submission with what its schema says of them. */
export function withSchema(
  schema: SubmissionSchema,
  fields: readonly IFieldWords[]
): IAskField[] {
  return fields.map(words => ({
    ...words,
    schema: schema.field(words.field),
    isRequired: schema.isRequired(words.field)
  }));
}

/** The fields that everybody sees. */
export function mainFields(trans: TranslationBundle): IFieldWords[] {
  return [
    {
      field: 'command',
      label: trans.__('Command'),
      help: trans.__('What to run, such as: python train.py --epochs 3')
    },
    {
      field: 'cwd',
      label: trans.__('Folder'),
      help: trans.__(
        'Where it runs; a relative one begins at the server’s root'
      )
    },
    {
      field: 'name',
      label: trans.__('Name'),
      help: trans.__('Lower-case letters, digits, dashes; empty for any')
    },
    {
      field: 'gpu',
      label: trans.__('GPU'),
      help: trans.__('A share such as 0.5, or whole devices; empty for none')
    },
    {
      field: 'tasks',
      label: trans.__('Workers'),
      help: trans.__('How many run it together, each with the GPU above')
    }
  ];
}

/** The fields for those who look for them. */
export function moreFields(trans: TranslationBundle): IFieldWords[] {
  const plain = (field: DraftField, label: string, help = ''): IFieldWords => ({
    field,
    label,
    help
  });
  return [
    {
      ...plain('kind', trans.__('Type')),
      names: {
        workspace: trans.__('workspace'),
        training: trans.__('training'),
        interactive: trans.__('interactive run'),
        inference: trans.__('inference')
      }
    },
    plain('queue', trans.__('Project')),
    plain(
      'priority',
      trans.__('Priority'),
      trans.__('100 and above is not preempted; empty for the type’s own')
    ),
    plain(
      'gpu_limit',
      trans.__('GPU limit'),
      trans.__('Up to what a share may use while nobody needs it')
    ),
    plain(
      'gpu_memory_mib',
      trans.__('GPU memory (MiB)'),
      trans.__('Instead of a share')
    ),
    plain(
      'gpu_devices',
      trans.__('Devices'),
      trans.__('Shares on so many devices')
    ),
    plain('cpu_milli', trans.__('CPU (thousandths of a core)')),
    plain('memory_mib', trans.__('Memory (MiB)')),
    plain(
      'min_tasks',
      trans.__('Workers at least'),
      trans.__('Starts with so many')
    ),
    plain('retries', trans.__('Retries'), trans.__('After a failure')),
    plain('max_run_s', trans.__('Run time at most (s)')),
    plain(
      'grace_s',
      trans.__('Grace period (s)'),
      trans.__('From SIGTERM to SIGKILL')
    )
  ];
}
