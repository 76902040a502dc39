import { EngineModel } from '../src/model/engineModel';
import { Book } from '../src/model/book';
import type { IWorkloadChange } from '../src/model/book';
import { LIMIT } from '../src/model/logText';
import type { EngineEvent, IWorkload } from '../src/wire';
import { FakeSocket, fakeSettings } from './helpers/fakeServer';
import { device, queue, state, workload, heartbeat } from './helpers/sample';

/** Numbers that look random and are the same each time. */
function numbers(seed: number): (below: number) => number {
  let last = seed;
  return below => {
    last = (last * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((last / 2_147_483_648) * below);
  };
}

/** An engine that counts its events and remembers what is so. */
class FakeEngine {
  constructor(readonly epoch: string) {}

  readonly workloads = new Map<string, IWorkload>();
  readonly history: EngineEvent[] = [];

  /** Everything as it is now. */
  get all(): EngineEvent {
    const { epoch } = this;
    const seq = this.history.length;
    return state({ epoch, seq, workloads: [...this.workloads.values()] });
  }

  /** Something happens. */
  happen(next: (below: number) => number): EngineEvent {
    const at = { epoch: this.epoch, seq: this.history.length + 1 };
    const id = `w${next(20)}`;
    let event: EngineEvent;
    if (next(5) === 0) {
      this.workloads.delete(id);
      event = { ...at, type: 'deleted', id };
    } else {
      const after = workload({ id, priority: next(1000) });
      this.workloads.set(id, after);
      event = { ...at, type: 'workload', workload: after };
    }
    this.history.push(event);
    return event;
  }

  /** What was missed since a position, as the server sends it: deltas, or all where it cannot tell. */
  since(position: string | null): EngineEvent[] {
    const [epoch, seq] = position?.split(':') ?? [];
    return epoch === this.epoch ? this.history.slice(Number(seq)) : [this.all];
  }
}

function sorted(workloads: Iterable<IWorkload>): IWorkload[] {
  return [...workloads].sort((one, other) => (one.id < other.id ? -1 : 1));
}

describe('a book kept over a bad line', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'ends with what is so, whatever is lost, repeated or out of order (%d)',
    seed => {
      const next = numbers(seed);
      let engine = new FakeEngine('e0');
      const book = new Book();
      book.apply(engine.all);
      let gaps = 0;
      for (let round = 0; round < 3000; round++) {
        const event = engine.happen(next);
        if (next(20) === 0) {
          // Lost on its way.
          continue;
        }
        const old = engine.history[next(engine.history.length)];
        const heard =
          next(10) === 0 && old !== undefined ? [old, event] : [event];
        if (next(400) === 0) {
          engine = new FakeEngine(`e${round}`);
          engine.workloads.set('w0', workload({ id: 'w0' }));
        }
        for (const each of heard) {
          if (book.apply(each).kind === 'gap') {
            gaps++;
            book.forgetPosition();
            engine.since(book.position).forEach(missed => book.apply(missed));
          }
        }
      }
      engine.since(book.position).forEach(missed => book.apply(missed));
      expect(gaps).toBeGreaterThan(20);
      expect(sorted(book.workloads)).toEqual(sorted(engine.workloads.values()));
    }
  );

  it('says of each workload what was before, without a gap', () => {
    const next = numbers(9);
    const engine = new FakeEngine('e');
    const book = new Book();
    book.apply(engine.all);
    const known = new Map<string, IWorkload>();
    for (let round = 0; round < 2000; round++) {
      const applied = book.apply(engine.happen(next));
      const changes = applied.kind === 'changed' ? applied.workloads : [];
      for (const { before, after } of changes) {
        const id = (after ?? before)?.id ?? '';
        expect(before).toBe(known.get(id) ?? null);
        if (after === null) {
          known.delete(id);
        } else {
          known.set(id, after);
        }
      }
    }
    expect(sorted(known.values())).toEqual(sorted(book.workloads));
  });

  it('leaves devices and queues of a former run behind', () => {
    const book = new Book();
    book.apply(state({ devices: [device()], queues: [queue()] }));
    book.apply(state({ epoch: 'b', devices: [], queues: [] }));
    expect(book.devices).toEqual([]);
    expect(book.queues).toEqual([]);
    const late: EngineEvent = {
      type: 'devices',
      epoch: 'a',
      seq: 1,
      devices: [device()]
    };
    expect(book.apply(late).kind).toBe('gap');
    expect(book.devices).toEqual([]);
  });

  it('says nothing of workloads that are as they were before the line broke', () => {
    const book = new Book();
    const same = workload();
    book.apply(state({ workloads: [same, workload({ id: 'w2' })] }));
    const applied = book.apply(
      state({ epoch: 'b', workloads: [{ ...same, priority: 1 }] })
    );
    expect(applied).toEqual({
      kind: 'changed',
      workloads: [{ before: workload({ id: 'w2' }), after: null }]
    });
    expect(book.workload('w1')?.priority).toBe(1);
  });
});

describe('the store over broken lines', () => {
  let model: EngineModel;
  let changes: IWorkloadChange[];

  async function pass(milliseconds = 5): Promise<void> {
    await jest.advanceTimersByTimeAsync(milliseconds);
  }

  function put(seq: number, id: string, epoch = 'a'): EngineEvent {
    return { type: 'workload', epoch, seq, workload: workload({ id }) };
  }

  beforeEach(async () => {
    jest.useFakeTimers();
    changes = [];
    model = new EngineModel({ serverSettings: fakeSettings() });
    model.workloadChanged.connect((_, change) => changes.push(change));
    await pass();
    FakeSocket.last.accept();
    FakeSocket.last.say(state());
  });

  afterEach(() => {
    model.dispose();
    jest.useRealTimers();
  });

  async function breakAndReturn(): Promise<void> {
    FakeSocket.last.break();
    await pass(1000);
    FakeSocket.last.accept();
  }

  it('applies what it missed, once', async () => {
    FakeSocket.last.say(put(1, 'w1'));
    await breakAndReturn();
    // The server may begin a little earlier than asked for.
    [put(1, 'w1'), put(2, 'w2'), put(3, 'w3')].forEach(each => {
      FakeSocket.last.say(each);
    });
    expect(changes.map(({ after }) => after?.id)).toEqual(['w1', 'w2', 'w3']);
    expect(model.connection.phase).toBe('live');
  });

  it('takes over a new run of the engine, and says what became of its workloads', async () => {
    FakeSocket.last.say(put(1, 'w1'));
    await breakAndReturn();
    expect(FakeSocket.last.since).toBe('a:1');
    FakeSocket.last.say(
      state({ epoch: 'b', seq: 40, workloads: [workload({ id: 'w9' })] })
    );
    expect(changes.slice(1)).toEqual([
      { before: null, after: workload({ id: 'w9' }) },
      { before: workload({ id: 'w1' }), after: null }
    ]);
    FakeSocket.last.say(put(41, 'w10', 'b'));
    expect(model.workloads.map(({ id }) => id)).toEqual(['w9', 'w10']);
    await breakAndReturn();
    expect(FakeSocket.last.since).toBe('b:41');
  });

  it('starts over where a delta is of another run', async () => {
    FakeSocket.last.say(put(1, 'w1', 'b'));
    await pass();
    expect(FakeSocket.all).toHaveLength(2);
    expect(FakeSocket.last.since).toBeNull();
    expect(changes).toEqual([]);
  });

  it('keeps what it knew, and since when, while the line is broken', async () => {
    FakeSocket.last.say(put(1, 'w1'));
    const { heard } = model.connection;
    FakeSocket.last.break();
    await pass(500);
    expect(model.connection).toEqual({ phase: 'lost', heard, problem: null });
    expect(model.workloads).toHaveLength(1);
    expect(model.info?.user).toBe('me');
  });

  it('is live again by a heartbeat alone, and says so once', async () => {
    await breakAndReturn();
    const told = jest.fn();
    model.changed.connect(told);
    FakeSocket.last.say(heartbeat(0));
    FakeSocket.last.say(heartbeat(0));
    expect(model.connection.phase).toBe('live');
    expect(told).toHaveBeenCalledTimes(1);
  });

  it('says once that the line is lost, however often it breaks', async () => {
    const told = jest.fn();
    model.changed.connect(told);
    for (let attempt = 0; attempt < 4; attempt++) {
      FakeSocket.last.break();
      await pass(60_000);
    }
    expect(told).toHaveBeenCalledTimes(1);
  });

  it('goes on with each log from where the one that is furthest behind is', async () => {
    const [first] = [model.followLog('w1')];
    const say = (offset: number, text: string): void => {
      const next = offset + text.length;
      FakeSocket.last.say({ type: 'log', workload: 'w1', offset, next, text });
    };
    say(0, 'hello');
    const late = model.followLog('w1');
    await breakAndReturn();
    expect(FakeSocket.last.sent).toEqual([
      { type: 'follow', workload: 'w1', offset: -LIMIT }
    ]);
    say(0, 'hello world');
    expect(first.text.toString()).toBe('hello world');
    expect(late.text.toString()).toBe('hello world');
  });

  it('keeps 50,000 deltas over a line that breaks again and again', async () => {
    for (let seq = 1; seq <= 50_000; seq++) {
      FakeSocket.last.say(put(seq, `w${seq % 1000}`));
      if (seq % 10_000 === 0) {
        await breakAndReturn();
        expect(FakeSocket.last.since).toBe(`a:${seq}`);
      }
    }
    expect(changes).toHaveLength(50_000);
    expect(model.workloads).toHaveLength(1000);
  }, 60_000);
});
