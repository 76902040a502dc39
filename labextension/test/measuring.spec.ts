import { Measuring } from '../src/model/measuring';
import { Measurings } from '../src/model/measurings';
import type { ClientMessage, IMeasurementsMessage } from '../src/wire';
import { measurement } from './helpers/sample';

const second = (at: number, cpu_cores = 0.5) => measurement({ at, cpu_cores });

function begin(since = 0, known = [second(1), second(2)]): Measuring {
  const measured = { workload: 'w1', step: 'second' as const, since, known };
  return new Measuring({ measured, release: () => undefined });
}

describe('what is measured', () => {
  it('goes on after what is known', () => {
    const measuring = begin();
    expect(measuring.since).toBe(2);
    measuring.take([second(3)]);
    expect(measuring.measurements?.map(({ at }) => at)).toEqual([1, 2, 3]);
    expect(measuring.since).toBe(3);
  });

  it('comes instead of what was measured of the same time', () => {
    const measuring = begin();
    measuring.take([second(2, 0.75), second(3)]);
    expect(measuring.measurements).toEqual([
      second(1),
      second(2, 0.75),
      second(3)
    ]);
  });

  it('is not known before anything was heard', () => {
    const measuring = begin(1, []);
    expect(measuring.measurements).toBeNull();
    expect(measuring.since).toBe(1);
    measuring.take([]);
    expect(measuring.measurements).toEqual([]);
  });

  it('leaves aside what is older than it is asked for', () => {
    expect(begin(2).measurements).toEqual([second(2)]);
  });

  it('keeps the newest of very many', () => {
    const measuring = begin(0, []);
    for (let at = 0; at < 2000; at++) {
      measuring.take([second(at)]);
    }
    expect(measuring.measurements).toHaveLength(1500);
    expect(measuring.measurements?.at(-1)).toEqual(second(1999));
  });

  it('comes again after a problem', () => {
    const measuring = begin();
    const problem = { code: 'not_found', message: 'Gone.', hint: '' };
    measuring.fail(problem);
    expect(measuring.problem).toEqual(problem);
    measuring.take([second(3)]);
    expect(measuring.problem).toBeNull();
  });
});

describe('what is measured of several workloads', () => {
  const asked = { workload: 'w1', step: 'second', since: 10 } as const;
  let sent: ClientMessage[];
  let measurings: Measurings;

  beforeEach(() => {
    sent = [];
    measurings = new Measurings({ send: message => sent.push(message) });
  });

  function message(
    changes: Partial<IMeasurementsMessage> = {}
  ): IMeasurementsMessage {
    const type = 'measurements';
    const { workload, step } = asked;
    return { type, workload, step, measurements: [second(11)], ...changes };
  }

  it("is each workload's and step's own", () => {
    const seconds = measurings.begin(asked);
    measurings.hear(message({ step: 'minute' }));
    measurings.hear(message({ workload: 'w2' }));
    expect(seconds.measurements).toBeNull();
    measurings.hear(message());
    expect(seconds.measurements).toEqual([second(11)]);
  });

  it('is asked for from where the one who has least is', () => {
    measurings.begin(asked);
    measurings.hear(message());
    measurings.begin(asked);
    expect(sent.at(-1)).toEqual({ type: 'measure', ...asked, since: 10 });
  });

  it('is asked for once for all who look, until the last of them has gone', () => {
    const [one, other] = [measurings.begin(asked), measurings.begin(asked)];
    sent = [];
    measurings.resume();
    expect(sent).toEqual([{ type: 'measure', ...asked }]);
    one.dispose();
    expect(sent).toHaveLength(1);
    other.dispose();
    other.dispose();
    expect(sent.slice(1)).toEqual([
      { type: 'unmeasure', workload: 'w1', step: 'second' }
    ]);
    measurings.resume();
    expect(sent).toHaveLength(2);
  });

  it('cannot be told of one alone', () => {
    const other = { ...asked, workload: 'w2' };
    const [mine, theirs] = [asked, other].map(each => measurings.begin(each));
    measurings.fail('w1', { code: 'not_found', message: 'Gone.', hint: '' });
    expect(mine?.problem?.message).toBe('Gone.');
    expect(theirs?.problem).toBeNull();
  });
});
