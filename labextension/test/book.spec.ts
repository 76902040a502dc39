import { Book } from '../src/model/book';
import type { EngineEvent } from '../src/wire';
import { device, queue, state, workload } from './helpers/sample';

function changed(seq: number, id: string, epoch = 'a'): EngineEvent {
  return { type: 'workload', epoch, seq, workload: workload({ id }) };
}

describe('Book', () => {
  let book: Book;

  beforeEach(() => {
    book = new Book();
    book.apply(state({ seq: 5, workloads: [workload({ id: 'w1' })] }));
  });

  it('knows nothing and has no position before the first full state', () => {
    const empty = new Book();
    expect(empty.info).toBeNull();
    expect(empty.position).toBeNull();
    expect(empty.apply(changed(1, 'w1')).kind).toBe('gap');
  });

  it('applies what follows the last event and moves on', () => {
    expect(book.apply(changed(6, 'w2'))).toEqual({
      kind: 'changed',
      workloads: [{ before: null, after: workload({ id: 'w2' }) }]
    });
    expect(book.workloads.map(({ id }) => id)).toEqual(['w1', 'w2']);
    expect(book.position).toBe('a:6');
  });

  it('replaces devices and queues whole', () => {
    book.apply({ type: 'devices', epoch: 'a', seq: 6, devices: [device()] });
    book.apply({
      type: 'queues',
      epoch: 'a',
      seq: 7,
      queues: [queue()],
      planner: null
    });
    expect(book.devices).toEqual([device()]);
    expect(book.queues).toEqual([queue()]);
  });

  it('leaves old news aside', () => {
    book.apply(changed(6, 'w2'));
    expect(
      book.apply({ ...state(), type: 'deleted', id: 'w2', seq: 6 })
    ).toEqual({ kind: 'nothing' });
    expect(book.workload('w2')).toBeDefined();
  });

  it('notices a gap and keeps what it knew', () => {
    expect(book.apply(changed(7, 'w2')).kind).toBe('gap');
    expect(book.workload('w2')).toBeUndefined();
    expect(book.position).toBe('a:5');
  });

  it('notices another run of the engine', () => {
    expect(book.apply(changed(6, 'w2', 'b')).kind).toBe('gap');
  });

  it('notices by a heartbeat that something was missed', () => {
    const beat = { type: 'heartbeat', epoch: 'a', planner: null } as const;
    expect(book.apply({ ...beat, seq: 5 }).kind).toBe('nothing');
    expect(book.apply({ ...beat, seq: 6 }).kind).toBe('gap');
  });

  it('removes what was deleted and says what it was', () => {
    expect(
      book.apply({ type: 'deleted', epoch: 'a', seq: 6, id: 'w1' })
    ).toEqual({
      kind: 'changed',
      workloads: [{ before: workload({ id: 'w1' }), after: null }]
    });
    expect(book.workloads).toEqual([]);
    expect(
      book.apply({ type: 'deleted', epoch: 'a', seq: 7, id: 'w1' }).kind
    ).toBe('nothing');
  });

  it('says what became of workloads between two full states', () => {
    const applied = book.apply(
      state({
        epoch: 'b',
        seq: 0,
        workloads: [
          workload({ id: 'w1', state: 'failed' }),
          workload({ id: 'w9' })
        ]
      })
    );
    expect(applied).toEqual({
      kind: 'changed',
      workloads: [
        {
          before: workload({ id: 'w1' }),
          after: workload({ id: 'w1', state: 'failed' })
        },
        { before: null, after: workload({ id: 'w9' }) }
      ]
    });
    expect(book.position).toBe('b:0');
  });

  it('gives the same array until a workload changes', () => {
    const before = book.workloads;
    book.apply({ type: 'devices', epoch: 'a', seq: 6, devices: [] });
    expect(book.workloads).toBe(before);
    book.apply(changed(7, 'w1'));
    expect(book.workloads).not.toBe(before);
  });

  it('counts an event of a newer engine and leaves its content aside', () => {
    const unknown = { type: 'usage', epoch: 'a', seq: 6 };
    expect(book.apply(unknown as unknown as EngineEvent).kind).toBe('nothing');
    expect(book.apply(changed(7, 'w2')).kind).toBe('changed');
  });

  it('forgets its position but not what it learnt', () => {
    book.forgetPosition();
    expect(book.position).toBeNull();
    expect(book.workloads).toHaveLength(1);
  });

  it('takes 10,000 deltas in order', () => {
    for (let seq = 6; seq < 10_006; seq++) {
      expect(book.apply(changed(seq, `w${seq % 1000}`)).kind).toBe('changed');
    }
    expect(book.position).toBe('a:10005');
    expect(book.workloads).toHaveLength(1000);
  });
});
