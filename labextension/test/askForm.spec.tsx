import { act, render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { AskForm } from '../src/components/submit/AskForm';
import { EngineError } from '../src/model/api';
import type { IProblem, IVerdict } from '../src/wire';
import { liveModel } from './helpers/fakeModel';
import { settle, showForm } from './helpers/form';
import { verdict } from './helpers/sample';
import { trans } from './helpers/views';

const REFUSAL = {
  code: 'invalid_request',
  message: 'Expected `int`, got `str` - at `$.tasks`',
  hint: ''
};

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

describe('the outlook of a form', () => {
  it('says why it would wait, and at which place', async () => {
    const model = liveModel({});
    model.requests.preview.mockResolvedValue(
      verdict({ code: 'fragmented', queue_position: 3, message: 'In pieces.' })
    );
    showForm(model, 'x');
    await settle();
    expect(screen.getByText('fragmented · position 3')).toBeVisible();
    expect(screen.getByText('In pieces.')).toBeVisible();
    expect(model.requests.submit).not.toHaveBeenCalled();
  });

  it('says where it would start', async () => {
    const model = liveModel({});
    model.requests.preview.mockResolvedValue(
      verdict({ state: 'placed', code: 'placed', message: 'starts now on #1' })
    );
    showForm(model, 'x');
    await settle();
    expect(screen.getByRole('status')).toHaveTextContent('Starts now on #1');
    expect(screen.getByRole('status')).not.toHaveTextContent('position');
  });

  it('asks nothing of a submission without a command', async () => {
    const model = liveModel({});
    const { user } = showForm(model, '');
    await settle();
    expect(model.requests.preview).not.toHaveBeenCalled();
    expect(screen.getByRole('status')).toHaveTextContent(
      'What would happen stands here.'
    );
    await user.type(screen.getByLabelText('Command'), 'python a.py');
    await settle();
    expect(model.requests.preview).toHaveBeenCalledWith(
      expect.objectContaining({ command: ['python', 'a.py'] })
    );
  });

  it('is asked for once what is typed stays as it is, and greyed until then', async () => {
    const model = liveModel({});
    model.requests.preview.mockResolvedValue(verdict({ message: 'First.' }));
    const { user } = showForm(model, 'x');
    await settle();
    expect(model.requests.preview).toHaveBeenCalledTimes(1);
    await user.type(screen.getByLabelText('GPU'), '0.25');
    expect(model.requests.preview).toHaveBeenCalledTimes(1);
    expect(screen.getByRole('status')).toHaveClass('jp-mod-stale');
    model.requests.preview.mockResolvedValue(verdict({ message: 'Second.' }));
    await settle();
    expect(model.requests.preview).toHaveBeenCalledTimes(2);
    expect(model.requests.preview).toHaveBeenLastCalledWith(
      expect.objectContaining({ request: { gpu: '0.25' } })
    );
    expect(screen.getByText('Second.')).toBeVisible();
    expect(screen.getByRole('status')).not.toHaveClass('jp-mod-stale');
  });

  it('is never the late answer to what the form held before', async () => {
    const model = liveModel({});
    const answers: ((answer: IVerdict) => void)[] = [];
    model.requests.preview.mockImplementation(
      () => new Promise(resolve => answers.push(resolve))
    );
    const { user } = showForm(model, 'x');
    await user.type(screen.getByLabelText('GPU'), '1');
    await settle();
    expect(answers).toHaveLength(2);
    await act(async () => {
      answers[1]?.(verdict({ message: 'Of one device.' }));
      await Promise.resolve();
    });
    await act(async () => {
      answers[0]?.(verdict({ message: 'Of no device.' }));
      await Promise.resolve();
    });
    expect(screen.getByText('Of one device.')).toBeVisible();
    expect(screen.queryByText('Of no device.')).toBeNull();
  });

  it('is forgotten by an answer that comes when the form is gone', async () => {
    const model = liveModel({});
    let refuse: (reason: Error) => void = () => undefined;
    model.requests.preview.mockImplementation(
      () =>
        new Promise((_, reject) => {
          refuse = reject;
        })
    );
    const fault = jest.spyOn(console, 'error').mockImplementation();
    const { unmount } = render(
      <AskForm
        model={model}
        fields={[]}
        first={{}}
        foresee={() => ({ command: ['x'], cwd: '.' })}
        trans={trans}
        change={jest.fn()}
      />
    );
    unmount();
    refuse(new Error('late'));
    await settle();
    expect(fault).not.toHaveBeenCalled();
    fault.mockRestore();
  });

  it('says what the policy has chosen, and because of whom', async () => {
    const model = liveModel({});
    const policy = ['gpu 0.5 because cluster says so'];
    model.requests.preview.mockResolvedValue(
      verdict({ state: 'placed', facts: { policy } as never })
    );
    showForm(model, 'x');
    await settle();
    const outlook = within(screen.getByRole('status'));
    expect(outlook.getByText('By policy:')).toBeVisible();
    expect(outlook.getByRole('listitem')).toHaveTextContent(policy[0] ?? '');
  });
});

describe('what is wrong with a form', () => {
  async function wrong(problem: IProblem): Promise<void> {
    const model = liveModel({});
    model.requests.preview.mockRejectedValue(new EngineError(problem));
    showForm(model, 'x');
    await settle();
  }

  it('is said below the field that it is about', async () => {
    await wrong(REFUSAL);
    expect(screen.getByRole('alert')).toHaveTextContent('Expected `int`');
    const workers = screen.getByLabelText('Workers');
    expect(workers).toBeInvalid();
    expect(workers).toHaveAccessibleDescription(REFUSAL.message);
    expect(screen.getByRole('status')).not.toHaveTextContent('Expected');
  });

  it('opens the fields that are put away where it is about one of them', async () => {
    await wrong({ ...REFUSAL, message: 'Too much - at `$.retries`' });
    expect(screen.getByLabelText('Retries')).toBeVisible();
    expect(screen.getByLabelText('Retries')).toBeInvalid();
  });

  it('is said before the submission where a policy forbids it', async () => {
    await wrong({
      code: 'not_allowed',
      message: 'gpu is 2 and project vision says at most 0.5.',
      hint: 'Ask for 0.5 or less: --gpu.'
    });
    expect(screen.getByRole('status')).toHaveTextContent(
      'gpu is 2 and project vision says at most 0.5. Ask for 0.5 or less'
    );
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('is why it was refused, until something changes', async () => {
    const model = liveModel({});
    const { user } = showForm(model, 'x', { refusal: REFUSAL });
    expect(screen.getByRole('alert')).toHaveTextContent('Expected `int`');
    await user.type(screen.getByLabelText('Workers'), '2');
    expect(screen.queryByRole('alert')).toBeNull();
  });
});

describe('the fields of a form', () => {
  const fields = [
    {
      field: 'free',
      label: trans.__('Free'),
      help: trans.__('Anything'),
      isRequired: true
    },
    {
      field: 'count',
      label: trans.__('Count'),
      help: trans.__('How many'),
      schema: { type: 'integer', maximum: 9, default: 3 }
    },
    {
      field: 'one',
      label: trans.__('One of'),
      help: '',
      schema: { enum: ['a', 'b'], default: 'b' },
      names: { a: trans.__('the first') }
    },
    {
      field: 'tick',
      label: trans.__('Tick'),
      help: '',
      schema: { type: 'boolean' }
    }
  ];
  let change: jest.Mock;

  beforeEach(() => {
    jest.useRealTimers();
    change = jest.fn();
    render(
      <AskForm
        model={liveModel({})}
        fields={fields}
        first={{}}
        trans={trans}
        change={change}
      />
    );
  });

  it('are as their schema says', () => {
    expect(screen.getByLabelText('Free')).toBeRequired();
    const count = screen.getByLabelText('Count');
    expect(count).toHaveAttribute('inputmode', 'numeric');
    expect(count).toHaveAttribute('placeholder', '3');
    expect(count).toHaveAccessibleDescription('How many (≤ 9)');
    expect(screen.getByLabelText('One of')).toHaveValue('b');
    expect(screen.getByRole('option', { name: 'the first' })).toHaveValue('a');
    expect(screen.getByLabelText('Tick')).not.toBeChecked();
  });

  it('tell each change', async () => {
    await userEvent.type(screen.getByLabelText('Free'), 'x');
    expect(change).toHaveBeenLastCalledWith({ free: 'x' });
    await userEvent.selectOptions(screen.getByLabelText('One of'), 'a');
    await userEvent.click(screen.getByLabelText('Tick'));
    expect(change).toHaveBeenLastCalledWith({
      free: 'x',
      one: 'a',
      tick: 'yes'
    });
    await userEvent.click(screen.getByLabelText('Tick'));
    expect(change).toHaveBeenLastCalledWith({ free: 'x', one: 'a', tick: '' });
  });
});
