import { render, screen } from '@testing-library/react';

import { Specification } from '../src/components/details/Specification';
import { EngineError } from '../src/model/api';
import type { IWorkload } from '../src/wire';
import { liveModel } from './helpers/fakeModel';
import { workload } from './helpers/sample';
import { frame, trans } from './helpers/views';

const GONE = new EngineError({
  code: 'not_found',
  message: 'There is no such workload.',
  hint: 'It was deleted.'
});

function term(name: string): string | null | undefined {
  return screen.getByText(name).closest('div')?.querySelector('dd')
    ?.textContent;
}

describe('the specification', () => {
  it('is what was submitted, without the values of its environment', async () => {
    const model = liveModel();
    model.requests.specification.mockResolvedValue({
      command: ['python', 'a file.py'],
      cwd: '/work',
      env: { SECRET: 'hidden', PATH: '/bin' },
      request: { gpu: '0.5' }
    });
    render(<Specification model={model} workload={workload()} trans={trans} />);
    expect(await screen.findByText("python 'a file.py'")).toBeVisible();
    expect(term('cwd')).toBe('/work');
    expect(term('request')).toBe('{"gpu":"0.5"}');
    expect(term('environment')).toBe('2 variables');
    expect(document.body).not.toHaveTextContent('hidden');
  });

  it('says why it cannot be had', async () => {
    const model = liveModel();
    model.requests.specification.mockRejectedValue(GONE);
    render(<Specification model={model} workload={workload()} trans={trans} />);
    expect(await screen.findByRole('alert')).toHaveTextContent(
      'There is no such workload. It was deleted.'
    );
  });

  it('is asked for again when a resize has changed it', async () => {
    const model = liveModel();
    model.requests.specification.mockResolvedValue({
      command: ['true'],
      cwd: '/'
    });
    const shown = (changes: Partial<IWorkload> = {}) => (
      <Specification model={model} workload={workload(changes)} trans={trans} />
    );
    const { rerender } = render(shown());
    await screen.findByText('true');
    rerender(shown({ request: { gpu: '0.25' } }));
    await frame();
    expect(model.requests.specification).toHaveBeenCalledTimes(2);
  });
});
