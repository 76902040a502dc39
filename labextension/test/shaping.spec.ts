import {
  groupsOf,
  idleHolders,
  sumOf,
  usedPart
} from '../src/analytics/amounts';
import { causesOf } from '../src/analytics/causes';
import { FIRST_CHOICE, choiceOf } from '../src/analytics/choice';
import { pastCauses, sharesOf, topQueues } from '../src/analytics/past';
import { spanOf, stepOf } from '../src/analytics/period';
import { quotasOf } from '../src/analytics/quotas';
import { seriesOf, topProjects } from '../src/analytics/series';
import { queue, verdict, workload } from './helpers/sample';
import { queueHistory, queueStep, usage, usageRow } from './helpers/usage';

/** Seconds since the epoch of a moment by this machine's clock. */
function at(day: string, time = '00:00'): number {
  return new Date(`${day}T${time}`).getTime() / 1000;
}

describe('the time that is chosen', () => {
  const now = at('2026-11-26', '15:30');
  const custom = { ...FIRST_CHOICE, period: 'custom' as const };

  it.each([
    ['today', '2026-11-26'],
    ['week', '2026-11-20'],
    ['month', '2026-10-28']
  ] as const)('%s begins at midnight of %s and goes on', (period, day) => {
    expect(spanOf({ ...custom, period }, now)).toEqual({
      since: at(day),
      until: null
    });
  });

  it.each([
    ['2026-11-01', '2026-11-03', '2026-11-01', '2026-11-04'],
    ['2026-11-03', '2026-11-03', '2026-11-03', '2026-11-04'],
    ['2025-12-31', '2026-01-01', '2025-12-31', '2026-01-02'],
    ['2024-02-28', '2024-02-29', '2024-02-28', '2024-03-01'],
    // Where clocks are put forward and back, a day has 23 or 25 hours.
    ['2026-03-29', '2026-03-29', '2026-03-29', '2026-03-30'],
    ['2026-10-25', '2026-10-25', '2026-10-25', '2026-10-26']
  ])('%s to %s is up to the end of its last day', (from, to, first, end) => {
    expect(spanOf({ ...custom, from, to }, now)).toEqual({
      since: at(first),
      until: at(end)
    });
  });

  it('that is not over yet goes on', () => {
    const choice = { ...custom, from: '2026-11-25', to: '2026-11-26' };
    expect(spanOf(choice, now)?.until).toBeNull();
    expect(spanOf({ ...choice, to: '2027-01-01' }, now)?.until).toBeNull();
    expect(spanOf(choice, at('2026-11-27', '00:01'))?.until).toBe(
      at('2026-11-27')
    );
  });

  it.each([
    ['', ''],
    ['2026-11-01', ''],
    ['', '2026-11-01'],
    ['2026-11-02', '2026-11-01'],
    ['2026-13-01', '2026-13-02'],
    ['1815-12-10', '2026-11-01']
  ])('is none from %j to %j', (from, to) => {
    expect(spanOf({ ...custom, from, to }, now)).toBeNull();
  });

  it.each([
    [0, 'minute'],
    [10_800, 'minute'],
    [10_801, 'hour'],
    [691_200, 'hour'],
    [691_201, 'day']
  ])('of %d seconds is shown by each %s', (seconds, step) => {
    expect(stepOf(seconds)).toBe(step);
  });

  it.each([
    [{}, FIRST_CHOICE],
    [{ period: 'year', by: 'node', from: 7 }, FIRST_CHOICE],
    [
      { period: 'custom', from: '2026-11-01', to: '1.12.2026', by: 'device' },
      { period: 'custom', from: '2026-11-01', to: '', by: 'device' }
    ]
  ])('of %j is %j', (args, choice) => {
    expect(choiceOf(args)).toEqual(choice);
  });
});

describe('sums', () => {
  it('of nothing are nothing, and no price or energy', () => {
    expect(sumOf([])).toEqual({
      allocated: 0,
      used: 0,
      idle: 0,
      unmeasured: 0,
      overQuota: 0,
      waited: 0,
      preemptions: 0,
      energy: null,
      cost: null
    });
    expect(usedPart(sumOf([]))).toBeNull();
    expect(groupsOf([])).toEqual([]);
  });

  it('tell what was idle from what nobody measured', () => {
    const sums = sumOf([
      usageRow({ allocated: 4, measured: 3, used: 1, over_quota: 0.5 }),
      usageRow({ allocated: 1, waiting: 90, preemptions: 2 })
    ]);
    expect(sums).toMatchObject({
      allocated: 5,
      used: 1,
      idle: 2,
      unmeasured: 2,
      overQuota: 0.5,
      waited: 90,
      preemptions: 2
    });
    expect(usedPart(sums)).toBeCloseTo(1 / 3);
  });

  it('have a price and energy as soon as one device tells', () => {
    const priced = usageRow({ cost: 1.5, energy: 3_600_000_000 });
    const { cost, energy } = sumOf([usageRow(), priced, priced]);
    expect(cost).toBe(3);
    expect(energy).toBe(2);
  });

  it('put those with as much in the order of their waiting', () => {
    const rows = [
      usageRow({ group: 'a', allocated: 1, waiting: 5 }),
      usageRow({ group: 'b', allocated: 1, waiting: 9 }),
      usageRow({ group: 'c', allocated: 2 }),
      usageRow({ group: 'a', allocated: 0.5 })
    ];
    expect(groupsOf(rows).map(({ group }) => group)).toEqual(['c', 'a', 'b']);
    expect(groupsOf(rows)[1]).toMatchObject({ allocated: 1.5, waited: 5 });
  });

  it('name those that were idle, most first, and not those that used all', () => {
    const rows = [
      usageRow({ group: 'a', allocated: 9, measured: 9, used: 9 }),
      usageRow({ group: 'b', allocated: 2, measured: 2, used: 1 }),
      usageRow({ group: 'c', allocated: 4, measured: 4 }),
      usageRow({ group: 'd', allocated: 8 })
    ];
    const names = (most: number): string[] =>
      idleHolders(rows, most).map(({ group }) => group);
    expect(names(9)).toEqual(['c', 'b']);
    expect(names(1)).toEqual(['c']);
    expect(names(0)).toEqual([]);
  });
});

describe('use over time', () => {
  it('has a figure for each step, also where nothing was counted', () => {
    const rows = [
      usageRow({ at: 3600, group: 'a', allocated: 1, used: 0.5 }),
      usageRow({ at: 10_800, group: 'b', allocated: 2 })
    ];
    const over = usage({ step: 'hour', since: 0, until: 14_400, rows });
    expect(seriesOf(over)).toEqual({
      times: [3600, 7200, 10_800],
      allocated: [1, 0, 2],
      used: [0.5, 0, 0],
      end: 14_400
    });
    expect(seriesOf(over, 'a').allocated).toEqual([1, 0, 0]);
    expect(seriesOf(over, 'none').allocated).toEqual([0, 0, 0]);
  });

  it('counts only that part of a step that was asked about', () => {
    const rows = [usageRow({ at: 0, allocated: 1 })];
    const half = usage({ step: 'hour', since: 1800, until: 3600, rows });
    expect(seriesOf(half).allocated).toEqual([2]);
    const none = usage({ step: 'hour', since: 3600, until: 3600, rows });
    expect(seriesOf(none).allocated).toEqual([0]);
  });

  it('has no steps where all is one', () => {
    const rows = [usageRow({ allocated: 1 })];
    expect(seriesOf(usage({ step: 'all', rows })).times).toEqual([]);
    expect(seriesOf(usage({ step: 'hour' })).times).toEqual([]);
  });

  it('is of the projects that held something', () => {
    const rows = [
      usageRow({ group: 'a', allocated: 1 }),
      usageRow({ group: 'b', allocated: 3 }),
      usageRow({ group: 'c', waiting: 9 })
    ];
    expect(topProjects(usage({ rows }), 9)).toEqual(['b', 'a']);
    expect(topProjects(usage({ rows }), 1)).toEqual(['b']);
  });

  it('is set against what today’s projects may have', () => {
    const queues = [
      queue({ name: 'lab' }),
      queue({ name: 'vision', parent: 'lab', quota: 2 }),
      queue({ name: 'new', parent: 'lab' })
    ];
    const rows = [
      usageRow({ group: 'vision', allocated: 4, over_quota: 1, used: 2 }),
      usageRow({ group: 'gone', allocated: 1 })
    ];
    const over = usage({ step: 'hour', since: 0, until: 7200, rows });
    const found = quotasOf(queues, over);
    expect(found.map(({ project }) => project)).toEqual([
      'gone',
      'new',
      'vision'
    ]);
    expect(found[0]).toMatchObject({ queue: null, allocated: 0.5 });
    expect(found[1]).toMatchObject({ allocated: 0, used: 0, overQuota: null });
    expect(found[2]).toMatchObject({
      queue: queues[1],
      allocated: 2,
      used: 1,
      overQuota: 0.25
    });
  });
});

describe('what queues had', () => {
  it('is why work waited, the longest first', () => {
    const rows = [
      queueStep({ queue: 'a', waits: { fragmented: 5, over_limit: 9 } }),
      queueStep({ queue: 'a', waits: { fragmented: 7 } }),
      queueStep({ queue: 'b', waits: { fragmented: 1, gated: 0 } })
    ];
    expect(pastCauses(queueHistory({ rows }))).toEqual([
      { project: 'a', code: 'fragmented', waited: 12 },
      { project: 'a', code: 'over_limit', waited: 9 },
      { project: 'b', code: 'fragmented', waited: 1 }
    ]);
  });

  it('is a line with gaps where nobody looked, or where it was unlimited', () => {
    const rows = [
      queueStep({ at: 60, queue: 'a', allocated: 0.5, quota: 2 }),
      queueStep({ at: 120, queue: 'b' }),
      queueStep({ at: 180, queue: 'a', allocated: 1, quota: null }),
      queueStep({ at: 240, queue: 'a', observed: 0 })
    ];
    const history = queueHistory({ rows, until: 300 });
    expect(sharesOf(history, 'a')).toEqual({
      times: [60, 120, 180, 240],
      held: [0.5, null, 1, null],
      quota: [2, null, null, null],
      fairShare: [1, null, 1, null],
      end: 300
    });
    expect(sharesOf(history, 'none').held).toEqual([null, null, null, null]);
  });

  it('is no line where there are no steps', () => {
    expect(sharesOf(queueHistory(), 'a').times).toEqual([]);
    const rows = [queueStep({ queue: 'a' })];
    expect(sharesOf(queueHistory({ step: 'all', rows }), 'a').times).toEqual(
      []
    );
  });

  it('is shown of those that held or asked for most, and of no department', () => {
    const rows = [
      queueStep({ queue: 'lab', allocated: 9 }),
      queueStep({ queue: 'a', parent: 'lab', allocated: 1 }),
      queueStep({ queue: 'b', parent: 'lab', requested: 4 }),
      queueStep({ queue: 'c', parent: 'lab' }),
      queueStep({ queue: 'a', parent: 'lab', allocated: 1 })
    ];
    expect(topQueues(queueHistory({ rows }), 9)).toEqual(['b', 'a']);
    expect(topQueues(queueHistory({ rows }), 1)).toEqual(['b']);
  });
});

describe('why work waits now', () => {
  it('is told of what waits, with the first of each cause', () => {
    const waits = (created: number, code?: 'fragmented' | 'over_limit') =>
      workload({
        state: 'pending',
        created,
        verdict: code === undefined ? null : verdict({ code })
      });
    expect(
      causesOf([
        waits(30, 'over_limit'),
        waits(20, 'fragmented'),
        waits(10, 'fragmented'),
        waits(5),
        workload({ verdict: verdict({ code: 'over_limit' }) })
      ])
    ).toEqual([
      { code: 'fragmented', workloads: 2, since: 10 },
      { code: null, workloads: 1, since: 5 },
      { code: 'over_limit', workloads: 1, since: 30 }
    ]);
    expect(causesOf([])).toEqual([]);
  });
});
