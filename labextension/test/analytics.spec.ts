import {
  groupsOf,
  idleHolders,
  sumOf,
  usedPart
} from '../src/analytics/amounts';
import { askAnalytics } from '../src/analytics/ask';
import { causesOf } from '../src/analytics/causes';
import { choiceOf, FIRST_CHOICE } from '../src/analytics/choice';
import { spanOf, stepOf } from '../src/analytics/period';
import { quotasOf } from '../src/analytics/quotas';
import { seriesOf, topProjects } from '../src/analytics/series';
import { formatAmount, formatCost, formatPart } from '../src/format/amount';
import { queueHistory as history, usage, usageRow } from './helpers/usage';
import { queue, verdict, workload } from './helpers/sample';

const HOUR = 3600;
const DAY = 24 * HOUR;

describe('the choice', () => {
  it('is taken from arguments, as far as they make sense', () => {
    expect(
      choiceOf({ period: 'custom', from: '2026-11-01', to: 'x', by: 'user' })
    ).toEqual({ period: 'custom', from: '2026-11-01', to: '', by: 'user' });
    expect(choiceOf({ period: 'year', by: 7 })).toEqual(FIRST_CHOICE);
  });
});

describe('a period', () => {
  const noon = new Date(2026, 10, 26, 12).getTime() / 1000;
  const day = (date: number, month = 10): number =>
    new Date(2026, month, date).getTime() / 1000;

  it.each([
    ['today', day(26)],
    ['week', day(20)],
    ['month', day(28, 9)]
  ] as const)('%s begins with a day and goes on', (period, since) => {
    const span = spanOf({ ...FIRST_CHOICE, period }, noon);
    expect(span).toEqual({ since, until: null });
  });

  it('of whole days ends with its last one', () => {
    const choice = { ...FIRST_CHOICE, period: 'custom', from: '2026-11-01' };
    const upTo = (to: string) => spanOf({ ...choice, to } as never, noon);
    expect(upTo('2026-11-02')).toEqual({ since: day(1), until: day(3) });
    expect(upTo('2026-11-26')).toEqual({ since: day(1), until: null });
    expect(upTo('2026-10-31')).toBeNull();
    expect(upTo('')).toBeNull();
  });

  it('is shown by steps that can be told apart', () => {
    expect([HOUR, DAY, 30 * DAY].map(stepOf)).toEqual([
      'minute',
      'hour',
      'day'
    ]);
  });
});

describe('amounts', () => {
  const rows = [
    usageRow({ group: 'a', allocated: 2, measured: 1, used: 0.5, waiting: 9 }),
    usageRow({ group: 'b', allocated: 5, measured: 5, used: 1, cost: 2.5 }),
    usageRow({ group: 'a', allocated: 4, measured: 4, used: 4, energy: 3.6e9 })
  ];

  it('are summed up in hours', () => {
    expect(sumOf(rows)).toEqual({
      allocated: 11,
      used: 5.5,
      idle: 4.5,
      unmeasured: 1,
      overQuota: 0,
      waited: 9,
      preemptions: 0,
      energy: 1,
      cost: 2.5
    });
    expect(sumOf([])).toMatchObject({ allocated: 0, energy: null, cost: null });
  });

  it('are told apart by groups, those with most first', () => {
    expect(groupsOf(rows).map(each => [each.group, each.allocated])).toEqual([
      ['a', 6],
      ['b', 5]
    ]);
  });

  it('have a part that was used only where something was measured', () => {
    expect(usedPart(sumOf(rows))).toBe(0.55);
    expect(usedPart(sumOf([usageRow({ allocated: 1 })]))).toBeNull();
  });

  it('name those that held most without using it', () => {
    expect(idleHolders(rows, 1).map(({ group }) => group)).toEqual(['b']);
  });
});

describe('use over time', () => {
  const hours = usage({
    step: 'hour',
    since: HOUR + 1800,
    until: 4 * HOUR + 900,
    rows: [
      usageRow({ at: HOUR, group: 'a', allocated: 1, used: 0.5, measured: 1 }),
      usageRow({ at: HOUR, group: 'b', allocated: 0.5 }),
      usageRow({ at: 4 * HOUR, group: 'a', allocated: 0.5 })
    ]
  });

  it('is an average of each step, whose ends may lie beyond what was asked about', () => {
    expect(seriesOf(hours)).toEqual({
      times: [1, 2, 3, 4].map(hour => hour * HOUR),
      allocated: [3, 0, 0, 2],
      used: [1, 0, 0, 0],
      end: 4 * HOUR + 900
    });
    expect(seriesOf(hours, 'b').allocated).toEqual([1, 0, 0, 0]);
  });

  it('is nothing where nothing was counted', () => {
    expect(seriesOf(usage({ step: 'hour' })).times).toEqual([]);
  });

  it('is shown of the projects with most', () => {
    expect(topProjects(hours, 1)).toEqual(['a']);
  });

  it('is set against what each project may have', () => {
    const queues = [
      queue({ name: 'research', quota: 9 }),
      queue({ name: 'b', parent: 'research', quota: 2 }),
      queue({ name: 'c', quota: 1 })
    ];
    const over = usageRow({
      at: HOUR,
      group: 'b',
      allocated: 1,
      over_quota: 0.5
    });
    const found = quotasOf(queues, { ...hours, rows: [...hours.rows, over] });
    expect(found.map(each => each.project)).toEqual(['a', 'b', 'c']);
    const [a, b, c] = found;
    expect(a?.queue).toBeNull();
    expect(a?.allocated).toBeCloseTo(1.5 / 2.75);
    expect(a?.used).toBeCloseTo(0.5 / 2.75);
    expect(b).toMatchObject({ queue: queues[1], overQuota: 1 / 3 });
    expect(c).toMatchObject({ allocated: 0, overQuota: null });
  });
});

describe('the question', () => {
  const queueHistory = jest.fn(() => Promise.resolve(history()));
  const answers = (first: number): jest.Mock =>
    jest.fn((by: string, _: unknown, step: string) =>
      Promise.resolve(
        usage({ by, step, rows: [usageRow({ at: first })] } as never)
      )
    );

  it('is asked by finer steps where the accounts begin late', async () => {
    const ask = answers(29 * DAY);
    const span = { since: 0, until: null };
    const found = await askAnalytics(
      { usage: ask, queueHistory },
      'user',
      span,
      30 * DAY
    );
    expect([found.groups.by, found.workloads.by]).toEqual(['user', 'workload']);
    expect(found.overTime.step).toBe('hour');
    expect(ask).toHaveBeenCalledTimes(4);
    expect(ask).toHaveBeenLastCalledWith(
      'project',
      { since: 29 * DAY, until: null },
      'hour'
    );
  });

  it('is not asked twice', async () => {
    const ask = answers(0);
    await askAnalytics(
      { usage: ask, queueHistory },
      'workload',
      { since: 0, until: 9 * DAY },
      30 * DAY
    );
    expect(ask.mock.calls.map(([by, , step]: string[]) => [by, step])).toEqual([
      ['project', 'day'],
      ['workload', 'all']
    ]);
  });
});

describe('causes', () => {
  it('are those of what waits now, the most frequent first', () => {
    const waits = { state: 'pending', verdict: verdict() } as const;
    const causes = causesOf([
      workload(),
      workload({ ...waits, verdict: null, created: 5 }),
      workload({ ...waits, created: 30 }),
      workload({ ...waits, created: 20 })
    ]);
    expect(causes).toEqual([
      { code: 'fragmented', workloads: 2, since: 20 },
      { code: null, workloads: 1, since: 5 }
    ]);
  });
});

describe('figures', () => {
  it('have as many digits as tell something', () => {
    const figures = [0, 0.0004, 0.00123, 1.5, 12.345, 999.6, 1234567.8];
    expect(figures.map(formatAmount)).toEqual([
      '0',
      '<0.001',
      '0.00123',
      '1.5',
      '12.3',
      '1,000',
      '1,234,568'
    ]);
    expect([0.333, null].map(formatPart)).toEqual(['33 %', '–']);
    expect(formatCost(1234.5, 'EUR')).toBe('1,234.50 EUR');
    expect(formatCost(null, 'EUR')).toBe('–');
  });
});
