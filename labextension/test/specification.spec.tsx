import { render, screen } from '@testing-library/react';

import { Specification } from '../src/components/details/Specification';
import { Usage } from '../src/components/details/Usage';
import { EngineError } from '../src/model/api';
import type { IMeasurement, IWorkload } from '../src/wire';
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

describe('the use of a workload', () => {
  function measured(changes: Partial<IMeasurement> = {}): IMeasurement {
    return {
      at: 1020,
      seconds: 1,
      gpu_utilization: null,
      gpu_memory_mib: null,
      gpu_memory_peak_mib: null,
      cpu_cores: 0.5,
      memory_mib: 100,
      memory_peak_mib: 120,
      ...changes
    };
  }

  const ended = workload({ state: 'completed', ended: 1060 });

  it('that was not measured yet says so', async () => {
    const model = liveModel();
    model.requests.measurements.mockResolvedValue([]);
    render(<Usage model={model} workload={ended} now={1100} trans={trans} />);
    expect(await screen.findByText('Nothing was measured yet.')).toBeVisible();
  });

  it('is a table for those who see no chart, and says what has no figure', async () => {
    const model = liveModel();
    const nothing = { cpu_cores: null, memory_mib: null } as never;
    model.requests.measurements.mockResolvedValue([measured(nothing)]);
    render(<Usage model={model} workload={ended} now={1100} trans={trans} />);
    const cores = await screen.findByRole('table', { name: 'CPU (cores)' });
    expect(cores.querySelectorAll('tbody tr')).toHaveLength(1);
    expect(screen.getAllByText('not measured')).toHaveLength(4);
  });

  it('of an ended one is asked for once, by seconds from its start', async () => {
    const model = liveModel();
    model.requests.measurements.mockResolvedValue([]);
    const shown = (now: number) => (
      <Usage model={model} workload={ended} now={now} trans={trans} />
    );
    const { rerender } = render(shown(1100));
    await screen.findByText('Nothing was measured yet.');
    rerender(shown(1200));
    expect(model.requests.measurements.mock.calls).toEqual([
      ['w1', 'second', 1010]
    ]);
  });

  it('of a long run is asked for by minutes', () => {
    const model = liveModel();
    const long = workload({ state: 'completed', started: 0, ended: 7200 });
    render(<Usage model={model} workload={long} now={7300} trans={trans} />);
    expect(model.requests.measurements).toHaveBeenCalledWith('w1', 'minute', 0);
  });

  it('says where figures are made up', async () => {
    const model = liveModel();
    const nothing = { cpu_cores: null, memory_mib: null } as never;
    model.requests.measurements.mockResolvedValue([measured(nothing)]);
    const simulated = workload({ ...ended, simulated: true });
    render(
      <Usage model={model} workload={simulated} now={1100} trans={trans} />
    );
    expect(
      await screen.findByText(/simulated: their figures are made up/)
    ).toBeVisible();
  });
});
