import { nullTranslator } from '@jupyterlab/translation';

import { shortModel } from '../src/format/device';
import {
  formatAlignedShare,
  formatAsked,
  formatCharacters,
  formatDevices,
  formatMemory,
  formatRequest,
  formatShare,
  isFraction
} from '../src/format/share';
import { elapsed, formatClock, formatElapsed, idle } from '../src/format/time';
import {
  detailLine,
  endLine,
  enforcementWords,
  ordinal,
  placeLine,
  stateGlyph,
  stateSentence,
  stateWord,
  waitingLine,
  waitingWords
} from '../src/format/words';
import { inOrder, isStoppable } from '../src/model/workloads';
import {
  CODES,
  STATES,
  activity,
  allocation,
  verdict,
  workload
} from './helpers/sample';

const trans = nullTranslator.load('jupyter_runai');

describe('device names', () => {
  it.each([
    ['NVIDIA A100-SXM4-80GB', 'A100 80GB'],
    ['NVIDIA A100-PCIE-40GB', 'A100 40GB'],
    ['NVIDIA A100 80GB PCIe', 'A100 80GB'],
    ['NVIDIA H100 80GB HBM3', 'H100 80GB'],
    ['NVIDIA H200', 'H200'],
    ['NVIDIA H100 NVL', 'H100'],
    ['NVIDIA GeForce RTX 4090', 'RTX 4090'],
    ['NVIDIA RTX A6000', 'RTX A6000'],
    ['Tesla V100-SXM2-16GB', 'V100 16GB'],
    ['Tesla T4', 'T4'],
    ['NVIDIA A10G', 'A10G'],
    ['A100 80GB', 'A100 80GB'],
    ['NVIDIA', 'NVIDIA']
  ])('%s is %s', (model, short) => {
    expect(shortModel(model)).toBe(short);
  });
});

describe('shares', () => {
  it.each([
    [500, '0.5', '0.50'],
    [333, '0.333', '0.333'],
    [1000, '1', '1.00'],
    [1600, '1.6', '1.60'],
    [0, '0', '0.00'],
    [999, '0.999', '0.999']
  ])('%d thousandths are %s, aligned %s', (milli, share, aligned) => {
    expect(formatShare(milli)).toBe(share);
    expect(formatAlignedShare(milli)).toBe(aligned);
  });

  it.each([
    [{}, 'CPU', false],
    [{ gpu: 2 }, '2', false],
    [{ gpu: '0.50' }, '0.5', true],
    [{ gpu: 0.25 }, '0.25', true],
    [{ gpu: '0.3', gpu_devices: 2 }, '2×0.3', true],
    [{ gpu_memory_mib: 20480 }, '20 GB', true],
    [{ gpu_memory_mib: 512, gpu_devices: 2 }, '2×512 MB', true],
    [{ mig: { '1g.10gb': 2, '3g.40gb': 1 } }, '2×1g.10gb + 3g.40gb', false],
    [{ gpu: '0.25', gpu_limit: 1 }, '0.25, up to 1', true],
    [
      { gpu_memory_mib: 20480, gpu_memory_limit_mib: 40960 },
      '20 GB, up to 40 GB',
      true
    ]
  ])('%j asks for %s', (request, words, fraction) => {
    expect(formatRequest(request, trans)).toBe(words);
    expect(isFraction(request)).toBe(fraction);
  });

  it('keeps three decimals of devices at most', () => {
    expect(formatDevices(0.1 + 0.2)).toBe('0.3');
    expect(formatDevices(2)).toBe('2');
  });

  it.each([
    [512, '512 MB'],
    [1536, '1.5 GB'],
    [40960, '40 GB'],
    [81559, '80 GB']
  ])('%d MiB are %s', (mib, words) => {
    expect(formatMemory(mib)).toBe(words);
  });

  it('says how much text there is', () => {
    expect(formatCharacters(1)).toBe('1 kB');
    expect(formatCharacters(2_140_000)).toBe('2.1 MB');
  });
});

describe('times', () => {
  it.each([
    [-3, '0:00'],
    [41.9, '0:41'],
    [723, '12:03'],
    [3723, '1:02:03'],
    [90_060, '1d 01:01']
  ])('%d seconds are %s', (seconds, words) => {
    expect(formatElapsed(seconds)).toBe(words);
  });

  it('runs from the start, waits from the creation, and freezes at the end', () => {
    expect(elapsed(workload({ created: 10, started: 20 }), 50)).toBe(30);
    expect(elapsed(workload({ created: 10, started: null }), 50)).toBe(40);
    expect(
      elapsed(workload({ state: 'failed', started: 20, ended: 30 }), 50)
    ).toBe(10);
  });

  it('tells for how long it has been idle, where somebody can tell', () => {
    const doing = activity({ idle_since: 20 });
    expect(idle(workload({ activity: doing }), 50)).toBe(30);
    expect(
      idle(workload({ activity: doing, state: 'stopped' }), 50)
    ).toBeNull();
    const busy = activity({ executing: true, idle_since: null });
    expect(idle(workload({ activity: busy }), 50)).toBeNull();
    expect(idle(workload(), 50)).toBeNull();
  });

  it('tells the time of day', () => {
    const time = new Date(2026, 0, 2, 10, 41, 3).getTime();
    expect(formatClock(time)).toBe('10:41:03');
  });
});

describe('words', () => {
  it('has a word and a sign for each state', () => {
    for (const state of STATES) {
      expect(stateWord(workload({ state }), trans)).toMatch(/^[a-z]+$/);
      expect(stateGlyph(workload({ state }))).toHaveLength(1);
    }
  });

  it('says that a workload is stopping from the moment it was asked to', () => {
    expect(stateWord(workload({ stop_requested: 1 }), trans)).toBe('stopping');
    expect(
      stateWord(
        workload({ stop_requested: 1, ended: 2, state: 'stopped' }),
        trans
      )
    ).toBe('stopped');
    expect(stateSentence(workload(), trans)).toBe('digits-1: running');
  });

  it('says until when a workload is only kept', () => {
    const seconds = new Date(2026, 0, 2, 9, 5).getTime() / 1000;
    const kept = { activity: activity({ kept_until: seconds }) };
    expect(stateWord(workload(kept), trans)).toBe('kept until 09:05');
    expect(stateWord(workload({ ...kept, stop_requested: 1 }), trans)).toBe(
      'stopping'
    );
    expect(stateWord(workload({ activity: activity() }), trans)).toBe(
      'running'
    );
  });

  it('has at most three words for each reason to wait', () => {
    const words = CODES.map(code => waitingWords(code, trans));
    expect(new Set(words).size).toBe(CODES.length);
    words.forEach(each => {
      expect(each.split(' ').length).toBeLessThanOrEqual(3);
    });
  });

  it.each([
    [1, '1st'],
    [2, '2nd'],
    [3, '3rd'],
    [4, '4th'],
    [11, '11th'],
    [22, '22nd']
  ])('place %d is %s', (place, words) => {
    expect(ordinal(place, trans)).toBe(words);
  });

  it('says where a workload stands and why', () => {
    const waiting = workload({ state: 'pending', verdict: verdict() });
    expect(waitingLine(waiting, trans)).toBe('3rd · fragmented');
    expect(detailLine(waiting, trans)).toBe('3rd · fragmented');
    expect(
      waitingLine(
        workload({
          verdict: verdict({ code: 'never_fits', queue_position: null })
        }),
        trans
      )
    ).toBe('can never start');
    expect(waitingLine(workload(), trans)).toBe('not looked at yet');
  });

  it('says what a workload holds, and for a fraction how firmly', () => {
    const held = allocation();
    const { enforcement } = held;
    expect(detailLine(workload({ allocation: held }), trans)).toBe(
      'A100 80GB #1 · memory 40 GB hard, compute soft'
    );
    expect(
      placeLine(workload({ allocation: held, request: { gpu: 1 } }), trans)
    ).toBe('A100 80GB #1');
    expect(placeLine(workload(), trans)).toBe('');
    expect(
      placeLine(
        workload({ allocation: held, request: { gpu: 1 }, simulated: true }),
        trans
      )
    ).toBe('simulated A100 80GB #1');
    expect(
      enforcementWords(
        { level: 'none', memory: 'none', compute: 'none' },
        1,
        trans
      )
    ).toBe('limit not enforced');
    expect(
      enforcementWords({ ...enforcement, compute: 'none' }, 1024, trans)
    ).toBe('memory 1 GB hard, compute not limited');
  });

  it('says how a workload ended where its state does not', () => {
    const failed = workload({ state: 'failed', ended: 1, exit_code: 137 });
    const error = { type: 'ValueError', message: 'no', traceback: '' };
    expect(detailLine(failed, trans)).toBe('exit code 137');
    expect(endLine({ ...failed, reason: 'It was killed.' }, trans)).toBe(
      'It was killed.'
    );
    expect(endLine({ ...failed, report: { results: [], error } }, trans)).toBe(
      'ValueError: no'
    );
    expect(endLine(workload({ state: 'completed' }), trans)).toBe('');
    const never = workload({
      state: 'stopped',
      ended: 5,
      started: null,
      verdict: verdict({ message: 'asks for 64 devices and there are 2' }),
      reason: 'stopped while waiting'
    });
    expect(detailLine(never, trans)).toBe(
      'asks for 64 devices and there are 2'
    );
  });
});

describe('the order of workloads', () => {
  it('is live ones first, each newest first', () => {
    const ordered = inOrder([
      workload({ id: 'old', created: 1 }),
      workload({ id: 'ended', state: 'failed', created: 9, ended: 10 }),
      workload({
        id: 'ended-later',
        state: 'completed',
        created: 0,
        ended: 20
      }),
      workload({ id: 'new', created: 2 })
    ]);
    expect(ordered.map(({ id }) => id)).toEqual([
      'new',
      'old',
      'ended-later',
      'ended'
    ]);
  });

  it('lets stop what lives and was not asked to stop', () => {
    expect(isStoppable(workload())).toBe(true);
    expect(isStoppable(workload({ stop_requested: 1 }))).toBe(false);
    expect(isStoppable(workload({ state: 'failed' }))).toBe(false);
    expect(isStoppable(workload({ state: 'deleting' }))).toBe(false);
  });
});

it('says how many tasks ask for it', () => {
  expect(formatAsked(workload({ tasks: 4 }), trans)).toBe('4 × 0.5');
  expect(formatAsked(workload(), trans)).toBe('0.5');
});
