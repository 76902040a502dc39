import { timeline } from '../src/format/timeline';
import type { IWorkload } from '../src/wire';
import { verdict, workload } from './helpers/sample';
import { trans } from './helpers/views';

function told(changes: Partial<IWorkload>, now = 1030): string[] {
  return timeline(workload(changes), now, trans).map(
    ({ label, detail }) => `${label}|${detail}`
  );
}

describe('the timeline of a workload', () => {
  it('of one that nobody looked at yet is its creation and now', () => {
    expect(told({ state: 'pending', started: null })).toEqual([
      'created|by me',
      'waiting|not looked at yet'
    ]);
  });

  it('says why it waits, and at which place', () => {
    const waits = { state: 'pending', started: null, verdict: verdict() };
    expect(told(waits as Partial<IWorkload>)[1]).toBe(
      'waiting|3rd · fragmented'
    );
  });

  it('says how long it waited before it started', () => {
    expect(told({})[1]).toBe('started|after waiting 0:10');
  });

  it('counts starts after the first', () => {
    expect(told({ restarts: 1 })[1]).toBe(
      'started|after waiting 0:10; started again 1 time since it was created'
    );
    expect(told({ restarts: 3 })[1]).toMatch(/started again 3 times/);
  });

  it('knows that somebody asked it to stop', () => {
    expect(told({ stop_requested: 1020 }).slice(2)).toEqual([
      'asked to stop|',
      'stopping|not looked at yet'
    ]);
  });

  it('says nothing of a place that a suspended one does not have', () => {
    expect(told({ state: 'suspended' })[2]).toBe('suspended|');
  });

  it('ends with how long it ran and why it ended', () => {
    const ended = { ended: 1071, exit_code: 3, state: 'failed' } as const;
    expect(told(ended)[2]).toBe('failed|after 1:01 · exit code 3');
  });

  it('of one that never started ends with the last word on it', () => {
    const never = {
      state: 'stopped',
      started: null,
      ended: 1020,
      verdict: verdict({ message: 'No device has half free.' })
    } as const;
    expect(told(never)).toEqual([
      'created|by me',
      'stopped|No device has half free.'
    ]);
  });

  it('is in the order of time', () => {
    const moments = timeline(
      workload({ stop_requested: 1020, ended: 1021, state: 'stopped' }),
      1030,
      trans
    );
    const times = moments.map(({ at }) => at);
    expect(times).toEqual([1000, 1010, 1020, 1021]);
  });
});
