import { Notification } from '@jupyterlab/apputils';

import { newsOf } from '../src/news/news';
import { NewsTeller } from '../src/news/teller';
import type { IWorkload } from '../src/wire';
import { verdict, warning, workload } from './helpers/sample';
import { trans } from './helpers/views';

const WAITING = workload({ state: 'pending', started: null });

function kind(before: IWorkload | null, after: IWorkload): string | null {
  return newsOf({ before, after }, 60)?.kind ?? null;
}

describe('what is news', () => {
  it('is a start after a long wait, not a prompt one', () => {
    const started = (at: number) => workload({ created: 1000, started: at });
    expect(kind(WAITING, started(1060))).toBe('started');
    expect(kind(WAITING, started(1010))).toBeNull();
    expect(kind(null, started(1060))).toBeNull();
  });

  it('is a start after an eviction, and no start of a kernel', () => {
    expect(kind(WAITING, workload({ restarts: 1 }))).toBe('started');
    const kernel = workload({ kind: 'workspace', created: 0 });
    expect(kind(WAITING, kernel)).toBeNull();
  });

  it('is to wait for what does not pass, once', () => {
    const stuck = workload({
      state: 'pending',
      verdict: verdict({ code: 'never_fits' })
    });
    expect(kind(null, stuck)).toBe('stuck');
    expect(kind(WAITING, stuck)).toBe('stuck');
    expect(kind(stuck, stuck)).toBeNull();
    const passing = workload({ state: 'pending', verdict: verdict() });
    expect(kind(WAITING, passing)).toBeNull();
  });

  it('is an eviction, not a retry or a suspension', () => {
    const evicted = workload({ state: 'pending', reason: 'preempt: urgent' });
    expect(kind(workload(), evicted)).toBe('preempted');
    const again = workload({ state: 'pending', reason: 'exit code 1' });
    expect(kind(workload(), again)).toBeNull();
    expect(kind(workload(), workload({ state: 'suspending' }))).toBeNull();
  });

  it('is a warning of a rule, and what it did, not that it was put off', () => {
    const warned = workload({ notice: warning() });
    expect(kind(workload(), warned)).toBe('warned');
    expect(kind(warned, warned)).toBeNull();
    const putOff = warning({ stage: 0, message: 'put off', snoozed: 2900 });
    expect(kind(warned, workload({ notice: putOff }))).toBeNull();
    const done = warning({ acts_at: null, message: 'idle for 1 h: released' });
    expect(kind(warned, workload({ notice: done }))).toBe('warned');
  });

  it('is the end of long work, and each failure', () => {
    const ended = (at: number) =>
      workload({ state: 'completed', started: 1000, ended: at });
    expect(kind(workload(), ended(1060))).toBe('ended');
    expect(kind(workload(), ended(1010))).toBeNull();
    expect(kind(ended(1060), ended(1060))).toBeNull();
    expect(kind(workload(), workload({ state: 'failed' }))).toBe('failed');
  });

  it('is what the engine has stopped, not what its owner has', () => {
    const stopped = workload({ state: 'stopped', reason: 'ran for too long' });
    expect(kind(workload(), stopped)).toBe('failed');
    expect(kind(workload(), { ...stopped, stop_requested: 1 })).toBeNull();
  });

  it('is nothing of what is deleted', () => {
    expect(newsOf({ before: workload(), after: null }, 60)).toBeNull();
  });
});

describe('telling news', () => {
  const open = jest.fn();
  const openAll = jest.fn();
  const snooze = jest.fn();
  let teller: NewsTeller;

  beforeEach(() => {
    Notification.dismiss();
    jest.clearAllMocks();
    teller = new NewsTeller({ open, openAll, snooze, trans });
  });

  function told(): readonly string[] {
    return Notification.manager.notifications.map(({ message }) => message);
  }

  it('says why a workload failed, and shows it', () => {
    const error = { type: 'ValueError', message: 'no.', traceback: '' };
    const report = { results: [], error };
    teller.tell({ kind: 'failed', workload: workload({ report }) });
    expect(told()).toEqual(['digits-1 has failed: ValueError: no.']);
    const [action] =
      Notification.manager.notifications[0]?.options.actions ?? [];
    expect(action?.label).toBe('Why?');
    action?.callback(new MouseEvent('click'));
    expect(open).toHaveBeenCalledWith('w1');
  });

  it('lets what is warned of be put off, once', () => {
    const warned = workload({ notice: warning() });
    teller.tell({ kind: 'warned', workload: warned });
    expect(told()).toEqual([
      'digits-1: idle for 30 min: its device is released in 30 min.'
    ]);
    const [putOff] =
      Notification.manager.notifications[0]?.options.actions ?? [];
    expect(putOff?.label).toBe('Not yet');
    putOff?.callback(new MouseEvent('click'));
    expect(snooze).toHaveBeenCalledWith('w1');
    Notification.dismiss();
    const again = workload({ notice: warning({ snoozed: 2900 }) });
    teller.tell({ kind: 'warned', workload: again });
    expect(Notification.manager.notifications[0]?.options.actions).toHaveLength(
      1
    );
  });

  it('sums up a hundred that end at once', () => {
    for (let count = 0; count < 100; count++) {
      teller.tell({ kind: 'ended', workload: workload({ id: `w${count}` }) });
    }
    expect(told()).toEqual(['100 workloads have completed.']);
    const [action] =
      Notification.manager.notifications[0]?.options.actions ?? [];
    action?.callback(new MouseEvent('click'));
    expect(openAll).toHaveBeenCalled();
  });

  it('keeps kinds apart', () => {
    for (const kind of ['started', 'stuck', 'preempted'] as const) {
      teller.tell({ kind, workload: workload({ verdict: verdict() }) });
    }
    expect(new Set(told())).toEqual(
      new Set([
        'digits-1 has started.',
        'digits-1 waits: fragmented.',
        'digits-1 was preempted and waits.'
      ])
    );
  });
});
