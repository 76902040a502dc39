import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { SubmitForm } from '../src/components/submit/SubmitForm';
import { EngineError } from '../src/model/api';
import { toDraft } from '../src/submission/draft';
import { SubmissionSchema } from '../src/submission/schema';
import { liveModel } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { verdict } from './helpers/sample';
import { trans } from './helpers/views';

const SCHEMA = {
  $defs: {
    WorkloadSpec: {
      required: ['command'],
      properties: {
        kind: { enum: ['training', 'interactive'], default: 'training' },
        tasks: { type: 'integer', maximum: 1000, default: 1 }
      }
    }
  }
};
const REFUSAL = {
  code: 'invalid_request',
  message: 'Expected `int`, got `str` - at `$.tasks`',
  hint: ''
};
const AT_LONGEST = { timeout: 5000 };

function show(model: FakeModel, command: string, refusal?: object): void {
  render(
    <SubmitForm
      model={model}
      schema={new SubmissionSchema(SCHEMA)}
      first={toDraft({ command: [command], cwd: '.' })}
      base={{}}
      trans={trans}
      change={jest.fn()}
      {...refusal}
    />
  );
}

describe('the form of a submission', () => {
  it('says what would happen, and why it would wait', async () => {
    const model = liveModel({});
    model.requests.preview.mockResolvedValue(
      verdict({ code: 'fragmented', queue_position: 3, message: 'In pieces.' })
    );
    show(model, 'x');
    expect(
      await screen.findByText('fragmented · position 3', {}, AT_LONGEST)
    ).toBeVisible();
    expect(screen.getByText('In pieces.')).toBeVisible();
    expect(model.requests.submit).not.toHaveBeenCalled();
  });

  it('says below a field what is wrong with it', async () => {
    const model = liveModel({});
    model.requests.preview.mockRejectedValue(new EngineError(REFUSAL));
    show(model, 'x');
    const problem = await screen.findByRole('alert', {}, AT_LONGEST);
    expect(problem).toHaveTextContent('Expected `int`');
    expect(screen.getByLabelText('Workers')).toBeInvalid();
    expect(screen.getByLabelText('Workers')).toHaveAccessibleDescription(
      REFUSAL.message
    );
  });

  it('keeps saying why it was refused until something changes', async () => {
    const model = liveModel({});
    show(model, 'x', { refusal: REFUSAL });
    expect(screen.getByRole('alert')).toHaveTextContent('Expected `int`');
    await userEvent.type(screen.getByLabelText('Workers'), '2');
    expect(screen.queryByRole('alert')).toBeNull();
  });
});
