import { act, render, screen } from '@testing-library/react';
import type { JSX } from 'react';

import { Usage } from '../src/components/details/Usage';
import type { IMeasurement, IWorkload } from '../src/wire';
import { liveModel } from './helpers/fakeModel';
import type { FakeModel } from './helpers/fakeModel';
import { measurement, workload } from './helpers/sample';
import { frame, trans } from './helpers/views';

// What is drawn on a canvas is looked at in a browser.
jest.mock('../src/components/charts/Plot', () => ({ Plot: () => null }));

describe('the use of a workload', () => {
  const ended = workload({ state: 'completed', ended: 1060 });
  let model: FakeModel;

  beforeEach(() => {
    model = liveModel();
  });

  function shown(
    changes: { of?: IWorkload; now?: number; isVisible?: boolean } = {}
  ): JSX.Element {
    const { of = ended, now = 1100, isVisible = true } = changes;
    return (
      <Usage
        model={model}
        workload={of}
        now={now}
        isVisible={isVisible}
        trans={trans}
      />
    );
  }

  async function take(...measurements: IMeasurement[]): Promise<void> {
    act(() => {
      model.measurings.at(-1)?.take(measurements);
    });
    await frame();
  }

  async function rows(): Promise<(string | null)[]> {
    const cores = await screen.findByRole('table', { name: 'CPU (cores)' });
    return [...cores.querySelectorAll('tbody td:last-child')].map(
      cell => cell.textContent
    );
  }

  function asked(): unknown[] {
    return model.measurings.map(({ measured, since }) => [
      measured.workload,
      measured.step,
      since
    ]);
  }

  it('that was not measured yet says so', async () => {
    render(shown());
    await take();
    expect(await screen.findByText('Nothing was measured yet.')).toBeVisible();
  });

  it('is a table for those who see no chart, and says what has no figure', async () => {
    render(shown());
    await take(measurement());
    expect(await rows()).toEqual(['0.5']);
    expect(screen.getAllByText('not measured')).toHaveLength(2);
  });

  it('grows as it is measured, and asks for nothing again', async () => {
    const { rerender } = render(shown({ of: workload() }));
    await take(measurement({ at: 1020 }));
    await take(measurement({ at: 1021, cpu_cores: 0.75 }));
    rerender(shown({ of: workload(), now: 1400 }));
    expect(await rows()).toEqual(['0.5', '0.75']);
    expect(asked()).toEqual([['w1', 'second', 1021]]);
  });

  it('rests while nobody looks, and goes on where it was', async () => {
    const { rerender } = render(shown());
    await take(measurement({ at: 1020 }));
    rerender(shown({ isVisible: false }));
    expect(model.measurings[0]?.isDisposed).toBe(true);
    rerender(shown());
    expect(asked()).toEqual([
      ['w1', 'second', 1020],
      ['w1', 'second', 1020]
    ]);
    await take(measurement({ at: 1021, cpu_cores: 0.75 }));
    expect(await rows()).toEqual(['0.5', '0.75']);
  });

  it('of a long run comes by minutes', () => {
    const long = workload({ state: 'completed', started: 0, ended: 7200 });
    const { rerender } = render(shown({ of: long, now: 600 }));
    rerender(shown({ of: long, now: 7300 }));
    expect(asked()).toEqual([
      ['w1', 'second', 0],
      ['w1', 'minute', 0]
    ]);
  });

  it('says why nothing more comes, and keeps what came', async () => {
    render(shown());
    await take(measurement());
    act(() => {
      model.measurings[0]?.fail({
        code: 'not_found',
        message: 'It is gone.',
        hint: 'Look elsewhere.'
      });
    });
    expect(await screen.findByRole('alert')).toHaveTextContent(
      'It is gone. Look elsewhere.'
    );
    expect(await rows()).toEqual(['0.5']);
  });

  it('says where figures are made up', async () => {
    render(shown({ of: workload({ ...ended, simulated: true }) }));
    expect(
      await screen.findByText(/simulated: their figures are made up/)
    ).toBeVisible();
  });
});
