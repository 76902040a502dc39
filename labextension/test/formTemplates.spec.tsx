import { render, screen } from '@testing-library/react';

import { AskForm } from '../src/components/submit/AskForm';
import { EngineError } from '../src/model/api';
import type { ICatalog } from '../src/wire';
import { liveModel } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { settle, showForm } from './helpers/form';
import { clause, environment, template } from './helpers/sample';
import { trans } from './helpers/views';

const CATALOG: ICatalog = {
  templates: [
    template({ name: 'quick', gpu: '0.25', project: 'vision' }),
    template({ name: 'wide', gpu: 2, workers: 4, environment: 'torch' })
  ],
  environments: [
    environment({
      python: '/opt/torch/bin/python',
      packages: ['torch==2.4'],
      variables: { OMP_NUM_THREADS: '4' },
      folder: '/data'
    })
  ]
};

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

describe('templates and policies in a form', () => {
  let model: FakeModel;

  beforeEach(() => {
    model = liveModel({});
    model.catalog = CATALOG;
  });

  it('fill in fields and say so', async () => {
    const { user, change } = showForm(model, 'x');
    expect(screen.getByLabelText('Project')).not.toBeVisible();
    await user.selectOptions(screen.getByLabelText('Template'), 'quick');
    expect(screen.getByLabelText('Project')).toBeVisible();
    const gpu = screen.getByLabelText('GPU');
    expect(gpu).toHaveValue('0.25');
    expect(gpu).toHaveAccessibleDescription(/From the template quick/);
    expect(screen.getByLabelText('Folder')).not.toHaveAccessibleDescription(
      /From/
    );
    expect(change).toHaveBeenLastCalledWith(
      expect.objectContaining({ gpu: '0.25', queue: 'vision' })
    );
    await user.clear(gpu);
    await user.type(gpu, '1');
    expect(gpu).not.toHaveAccessibleDescription(/From/);
    await user.selectOptions(screen.getByLabelText('Template'), 'none');
    expect(gpu).toHaveValue('1');
  });

  it('bring an environment, whose interpreter and variables are submitted', async () => {
    const { user } = showForm(model, 'python train.py');
    await user.clear(screen.getByLabelText('Command'));
    await user.type(screen.getByLabelText('Command'), 'python train.py');
    await user.selectOptions(screen.getByLabelText('Template'), 'wide');
    expect(screen.getByLabelText('Folder')).toHaveValue('/data');
    expect(screen.getByLabelText('Environment')).toHaveAccessibleDescription(
      /torch==2.4 · OMP_NUM_THREADS=4/
    );
    await settle();
    expect(model.requests.preview).toHaveBeenLastCalledWith(
      expect.objectContaining({
        command: ['/opt/torch/bin/python', 'train.py'],
        cwd: '/data',
        env: { OMP_NUM_THREADS: '4' },
        tasks: 4
      })
    );
  });

  it('say below a field what holds for it in the project', async () => {
    model.clauses = [
      clause(),
      clause({ field: 'max_time', rule: 'required', value: 'true' })
    ];
    const { user } = showForm(model, 'x');
    await settle();
    expect(model.requests.policy).toHaveBeenLastCalledWith(
      'default',
      'training'
    );
    expect(screen.getByLabelText('GPU')).toHaveAccessibleDescription(
      /At most 0.5, says project vision/
    );
    expect(
      screen.getByLabelText('Run time at most (s)')
    ).toHaveAccessibleDescription(/Has to be said/);
    await user.selectOptions(screen.getByLabelText('Template'), 'quick');
    await settle();
    expect(model.requests.policy).toHaveBeenLastCalledWith(
      'vision',
      'training'
    );
  });

  it('say nothing of a project that there is not', async () => {
    model.clauses = [clause()];
    const { user } = showForm(model, 'x');
    await settle();
    model.requests.policy.mockRejectedValue(
      new EngineError({ code: 'invalid', message: 'No project.', hint: '' })
    );
    await user.type(screen.getByLabelText('Project'), 'gone');
    await settle();
    expect(screen.getByLabelText('GPU')).not.toHaveAccessibleDescription(
      /says project/
    );
  });

  it('ask once for the policy of a project whose name is typed', async () => {
    const { user } = showForm(model, 'x');
    await settle();
    const before = model.requests.policy.mock.calls.length;
    await user.type(screen.getByLabelText('Project'), 'vision');
    await settle();
    expect(model.requests.policy.mock.calls.slice(before)).toEqual([
      ['vision', 'training']
    ]);
  });

  it('are not asked about where nothing is submitted', async () => {
    render(
      <AskForm
        model={model}
        fields={[{ field: 'gpu', label: trans.__('GPU'), help: '' }]}
        first={{ gpu: '1' }}
        note="At once."
        trans={trans}
        change={jest.fn()}
      />
    );
    await settle();
    expect(screen.getByText('At once.')).toBeVisible();
    expect(screen.queryByRole('status')).toBeNull();
    expect(model.requests.policy).not.toHaveBeenCalled();
    expect(model.requests.preview).not.toHaveBeenCalled();
  });
});
