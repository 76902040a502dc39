import { formatAmount, formatCost, formatPart } from '../src/format/amount';
import { leaseWords } from '../src/format/lease';
import {
  formatAlignedShare,
  formatAsked,
  formatCharacters,
  formatDevices,
  formatMemory,
  formatRequest,
  formatShare,
  heldShare
} from '../src/format/share';
import {
  formatDate,
  formatDay,
  formatElapsed,
  formatTime,
  waited
} from '../src/format/time';
import {
  endLine,
  enforcementWords,
  factWord,
  idleWords,
  kindWord,
  levelWord,
  ordinal,
  placeLine,
  priorityWord,
  stateGlyph,
  stateWord,
  strengthWord,
  yesOrNo
} from '../src/format/words';
import type { IEnforcement, IWorkload } from '../src/wire';
import {
  STATES,
  activity,
  allocation,
  verdict,
  workload
} from './helpers/sample';
import { trans } from './helpers/views';

/** Seconds since the epoch of a moment by this machine's clock. */
function at(...moment: [number, number, number, number, number]): number {
  return new Date(...moment).getTime() / 1000;
}

describe('amounts', () => {
  it.each([
    [0, '0'],
    [1e-9, '<0.001'],
    [0.000999, '<0.001'],
    [0.001, '0.001'],
    [0.0012345, '0.00123'],
    [0.1, '0.1'],
    [12.345, '12.3'],
    [99.96, '100'],
    [999.5, '1,000'],
    [1234.5, '1,235'],
    [1_234_567, '1,234,567'],
    [-0.5, '-0.5'],
    [-1234.5, '-1,235']
  ])('%d is %s', (value, words) => {
    expect(formatAmount(value)).toBe(words);
  });

  it.each([
    [null, '–'],
    [0, '0 %'],
    [0.004, '0 %'],
    [0.005, '1 %'],
    [0.625, '63 %'],
    [1, '100 %'],
    [1.5, '150 %']
  ])('a part of %d is %s', (part, words) => {
    expect(formatPart(part)).toBe(words);
  });

  it.each([
    [null, '–'],
    [0, '0.00 EUR'],
    [0.004, '0.00 EUR'],
    [1234.5, '1,234.50 EUR'],
    [1e6, '1,000,000.00 EUR']
  ])('a cost of %d is %s', (cost, words) => {
    expect(formatCost(cost, 'EUR')).toBe(words);
  });
});

describe('shares at their edges', () => {
  it.each([
    [1, '0.001', '0.001'],
    [10, '0.01', '0.01'],
    [999, '0.999', '0.999'],
    [1001, '1.001', '1.001'],
    [1010, '1.01', '1.01'],
    [64_000, '64', '64.00'],
    [1_000_500, '1000.5', '1000.50']
  ])('%d thousandths are %s, aligned %s', (milli, share, aligned) => {
    expect(formatShare(milli)).toBe(share);
    expect(formatAlignedShare(milli)).toBe(aligned);
  });

  it.each([
    [0.3, '0.3'],
    [0.0004, '0'],
    [0.0005, '0.001'],
    [1 / 3, '0.333'],
    [2 / 3, '0.667'],
    [1e3, '1000']
  ])('%d devices are %s', (devices, words) => {
    expect(formatDevices(devices)).toBe(words);
  });

  it.each([
    [0, '0 MB'],
    [1023, '1023 MB'],
    [1024, '1 GB'],
    [1075, '1 GB'],
    [1126, '1.1 GB'],
    [10_188, '9.9 GB'],
    [10_240, '10 GB'],
    [10_752, '11 GB'],
    [1_048_576, '1024 GB']
  ])('%d MiB are %s', (mib, words) => {
    expect(formatMemory(mib)).toBe(words);
  });

  it.each([
    [0, '0 kB'],
    [1, '1 kB'],
    [1000, '1 kB'],
    [1001, '2 kB'],
    [999_000, '999 kB'],
    [1_000_000, '1.0 MB'],
    [2_000_000_000, '2000.0 MB']
  ])('%d characters are %s', (count, words) => {
    expect(formatCharacters(count)).toBe(words);
  });

  it.each([
    [{ gpu: '0' }, 'CPU'],
    [{ gpu: 0, gpu_memory_mib: 0, mig: {} }, 'CPU'],
    [{ gpu: '1.0' }, '1'],
    [{ gpu: '0.50', gpu_devices: 1 }, '0.5'],
    [{ gpu: 8 }, '8'],
    [{ gpu: '0.5', gpu_memory_limit_mib: 2048 }, '0.5, up to 2 GB'],
    [{ gpu: '0.5', gpu_limit: '0.75' }, '0.5, up to 0.75'],
    [{ gpu: '0.5', gpu_limit: 0 }, '0.5'],
    [{ gpu: '0.5', gpu_devices: 2, gpu_limit: 1 }, '2×0.5, up to 1'],
    [{ mig: { '1g.5gb': 1 }, gpu: 1 }, '1g.5gb']
  ])('%j asks for %s', (request, words) => {
    expect(formatRequest(request, trans)).toBe(words);
    expect(formatAsked({ request, tasks: 1 }, trans)).toBe(words);
    expect(formatAsked({ request, tasks: 3 }, trans)).toBe(`3 × ${words}`);
  });

  it('add up what is held', () => {
    const [one] = allocation().devices;
    const devices =
      one === undefined ? [] : [one, { ...one, portion_milli: 250 }];
    expect(heldShare(workload({ allocation: allocation({ devices }) }))).toBe(
      750
    );
    expect(heldShare(workload())).toBe(0);
  });
});

describe('times at their edges', () => {
  it.each([
    [0, '0:00'],
    [0.999, '0:00'],
    [59, '0:59'],
    [60, '1:00'],
    [3599, '59:59'],
    [3600, '1:00:00'],
    [86_399, '23:59:59'],
    [86_400, '1d 00:00'],
    [86_400 * 365 + 61, '365d 00:01']
  ])('%d seconds are %s', (seconds, words) => {
    expect(formatElapsed(seconds)).toBe(words);
  });

  it('have as many digits in each part, so that they align', () => {
    expect(formatDate(at(2026, 0, 2, 3, 4))).toBe('2026-01-02 03:04');
    expect(formatDate(at(2026, 11, 31, 23, 59))).toBe('2026-12-31 23:59');
    expect(formatDay(at(2026, 8, 9, 0, 0))).toBe('2026-09-09');
    expect(formatTime(at(2026, 8, 9, 0, 0))).toBe('00:00');
  });

  it('wait until the start, the end, or now', () => {
    const times = { created: 100, started: null, ended: null };
    expect(waited(workload({ ...times, started: 130 }), 900)).toBe(30);
    expect(waited(workload({ ...times, ended: 150 }), 900)).toBe(50);
    expect(waited(workload(times), 900)).toBe(800);
  });
});

describe('words for a workload', () => {
  it.each([
    ['creating', 'waiting', '◌'],
    ['pending', 'waiting', '◌'],
    ['initializing', 'starting', '◔'],
    ['resuming', 'resuming', '◔'],
    ['running', 'running', '●'],
    ['degraded', 'degraded', '●'],
    ['suspending', 'suspending', '◍'],
    ['suspended', 'suspended', '◍'],
    ['completed', 'completed', '✓'],
    ['failed', 'failed', '✕'],
    ['stopped', 'stopped', '■'],
    ['deleting', 'deleting', '■']
  ] as const)('%s is %s with the sign %s', (state, word, sign) => {
    expect(STATES).toContain(state);
    expect(stateWord(workload({ state }), trans)).toBe(word);
    expect(stateGlyph(workload({ state }))).toBe(sign);
  });

  it.each<[Partial<IWorkload>, string]>([
    [{ kind: 'workspace' }, 'workspace'],
    [{ kind: 'workspace', tasks: 3 }, 'workspace'],
    [{ kind: 'training' }, 'training'],
    [{ kind: 'training', gang: false }, 'training'],
    [{ kind: 'training', tasks: 2 }, 'distributed training'],
    [{ kind: 'training', tasks: 2, gang: false }, 'array'],
    [{ kind: 'interactive' }, 'interactive run'],
    [{ kind: 'inference' }, 'inference']
  ])('%j is called %s', (changes, word) => {
    expect(kindWord(workload(changes), trans)).toBe(word);
  });

  it.each([
    [25, 'very low'],
    [40, 'low'],
    [65, 'medium low'],
    [80, 'medium'],
    [90, 'medium high'],
    [125, 'high'],
    [150, 'very high'],
    [100, '100'],
    [0, '0']
  ])('priority %d is %s', (priority, word) => {
    expect(priorityWord(priority, trans)).toBe(word);
  });

  it.each([
    ['requested', 'asked'],
    ['quota', 'quota'],
    ['limit', 'limit'],
    ['fair_share', 'fair share'],
    ['allocated', 'held in the project'],
    ['free_whole_devices', 'whole devices free'],
    ['pool', 'pool'],
    ['largest_free_share', 'largest free share'],
    ['some_new_figure', 'some new figure']
  ])('the figure %s is %s', (fact, word) => {
    expect(factWord(fact, trans)).toBe(word);
  });

  it('say yes and no', () => {
    expect(yesOrNo(true, trans)).toBe('yes');
    expect(yesOrNo(false, trans)).toBe('no');
  });

  it.each([
    [13, '13th'],
    [21, '21st'],
    [23, '23rd'],
    [101, '101st'],
    [111, '111th'],
    [112, '112th'],
    [1000, '1000th']
  ])('place %d is %s', (place, words) => {
    expect(ordinal(place, trans)).toBe(words);
  });

  it('say for how long it has been idle from the first minute on', () => {
    const idle = workload({ activity: activity({ idle_since: 1000 }) });
    expect(idleWords(idle, 1059, trans)).toBe('');
    expect(idleWords(idle, 1060, trans)).toBe('idle 1:00');
    expect(idleWords(workload(), 1060, trans)).toBe('');
  });

  it('say why it ended: its own error before the planner, the engine and the code', () => {
    const error = { type: 'OSError', message: 'full', traceback: '' };
    const report = { results: [], error };
    const all = workload({
      state: 'failed',
      started: null,
      ended: 5,
      exit_code: 1,
      reason: 'It was killed.',
      verdict: verdict({ message: 'No device.' }),
      report
    });
    expect(endLine(all, trans)).toBe('OSError: full');
    const unreported = { ...all, report: { results: [], error: null } };
    expect(endLine(unreported, trans)).toBe('No device.');
    expect(endLine({ ...unreported, verdict: null }, trans)).toBe(
      'It was killed.'
    );
    const bare = { ...unreported, verdict: null, reason: '' };
    expect(endLine(bare, trans)).toBe('exit code 1');
    expect(endLine({ ...bare, exit_code: null }, trans)).toBe('');
    expect(endLine({ ...bare, state: 'stopped' }, trans)).toBe('');
  });
});

describe('words for what is held', () => {
  const soft: IEnforcement = {
    level: 'framework',
    memory: 'hard',
    compute: 'soft'
  };

  it.each([
    ['device', 'the whole device'],
    ['framework', 'caps in the framework'],
    ['mig', 'MIG'],
    ['mps-v2', 'MPS'],
    ['mps-v3', 'MPS'],
    ['none', 'nothing']
  ] as const)('%s is %s', (level, word) => {
    expect(levelWord(level, trans)).toBe(word);
  });

  it.each([
    ['hard', 'hard'],
    ['soft', 'soft'],
    ['none', 'not limited']
  ] as const)('a limit that is %s is %s', (strength, word) => {
    expect(strengthWord(strength, trans)).toBe(word);
  });

  it('say how firmly it is held, or that it is not', () => {
    expect(enforcementWords(soft, 512, trans)).toBe(
      'memory 512 MB hard, compute soft'
    );
    const none = { ...soft, level: 'none' as const };
    expect(enforcementWords(none, 512, trans)).toBe('limit not enforced');
  });

  it('name all devices, and how firmly only where they are shared', () => {
    const [one] = allocation().devices;
    const devices = one === undefined ? [] : [one, { ...one, index: 4 }];
    const held = allocation({ devices });
    const whole = workload({ allocation: held, request: { gpu: 2 } });
    expect(placeLine(whole, trans)).toBe('A100 80GB #1, A100 80GB #4');
    const shared = workload({ allocation: held, request: { gpu: '0.5' } });
    expect(placeLine(shared, trans)).toMatch(/#4 · memory 40 GB hard/);
    const bare = allocation({ devices: [] });
    expect(placeLine(workload({ allocation: bare }), trans)).toBe('');
  });

  const kernel = workload({ kind: 'workspace', allocation: allocation() });

  it.each<[string, IWorkload | null]>([
    ['no GPU', null],
    ['no GPU', { ...kernel, state: 'completed', ended: 9 }],
    ['no GPU', { ...kernel, state: 'failed', ended: 9 }],
    ['0.5 GPU · A100 80GB #1', kernel],
    ['0.5 GPU · simulated A100 80GB #1', { ...kernel, simulated: true }],
    ['20 GB · A100 80GB #1', { ...kernel, request: { gpu_memory_mib: 20480 } }],
    ['0.5 GPU', { ...kernel, allocation: null }],
    ['suspended', { ...kernel, state: 'suspended' }],
    ['resuming', { ...kernel, state: 'resuming' }],
    ['waiting', { ...kernel, state: 'pending' }],
    [
      'waiting',
      {
        ...kernel,
        state: 'pending',
        verdict: verdict({ queue_position: null })
      }
    ],
    [
      'waiting, 12th',
      { ...kernel, state: 'pending', verdict: verdict({ queue_position: 12 }) }
    ]
  ])('a kernel has: %s', (words, held) => {
    expect(leaseWords(held, trans)).toBe(words);
  });
});
