import { act, render } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { AskForm } from '../../src/components/submit/AskForm';
import type { IAskFormProps } from '../../src/components/submit/AskForm';
import { catalogFields } from '../../src/components/submit/catalogFields';
import {
  mainFields,
  moreFields,
  withSchema
} from '../../src/components/submit/fields';
import { toDraft, toSpec } from '../../src/submission/draft';
import { environmentOf } from '../../src/submission/filling';
import type { Values } from '../../src/submission/filling';
import { SubmissionSchema } from '../../src/submission/schema';
import type { IWorkloadSpec } from '../../src/wire';
import type { FakeModel } from './fakeModel';
import { trans } from './views';

const SCHEMA = new SubmissionSchema({
  $defs: {
    WorkloadSpec: {
      required: ['command'],
      properties: {
        kind: { enum: ['training', 'interactive'], default: 'training' },
        tasks: { type: 'integer', maximum: 1000, default: 1 }
      }
    }
  }
});

/** A form, and somebody who fills it in. */
export interface IShown {
  readonly change: jest.MockedFunction<(values: Values) => void>;
  readonly user: ReturnType<typeof userEvent.setup>;
}

/** Show the form of a submission to somebody. */
export function showForm(
  model: FakeModel,
  command: string,
  changes: Partial<IAskFormProps> = {}
): IShown {
  const change = jest.fn();
  const first = toDraft({ command: [command], cwd: '.' });
  const foresee = (values: Values): IWorkloadSpec =>
    toSpec({ ...first, ...values }, {}, environmentOf(values, model.catalog));
  render(
    <AskForm
      model={model}
      catalog={model.catalog}
      fields={[
        ...catalogFields(model.catalog, null, trans),
        ...withSchema(SCHEMA, mainFields(trans))
      ]}
      more={withSchema(SCHEMA, moreFields(trans))}
      first={first}
      foresee={foresee}
      trans={trans}
      change={change}
      {...changes}
    />
  );
  const advanceTimers = (delay: number): void => {
    jest.advanceTimersByTime(delay);
  };
  return { change, user: userEvent.setup({ advanceTimers, delay: 100 }) };
}

/** Let what was typed settle, and what was asked be answered. */
export async function settle(): Promise<void> {
  await act(() => jest.advanceTimersByTimeAsync(300));
}
