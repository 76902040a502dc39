import { EngineStream } from '../src/model/stream';
import type { ServerMessage } from '../src/wire';
import { FakeSocket, fakeSettings } from './helpers/fakeServer';
import { heartbeat } from './helpers/sample';

interface IHeap {
  getHeapStatistics: () => { used_heap_size: number };
  setFlagsFromString: (flags: string) => void;
}

interface IScripts {
  runInNewContext: (code: 'gc') => () => void;
}

describe('the stream', () => {
  let stream: EngineStream;
  let position: string | null;
  let heard: ServerMessage[];
  let opened: number;
  let closed: number;

  async function pass(milliseconds = 5): Promise<void> {
    await jest.advanceTimersByTimeAsync(milliseconds);
  }

  async function open(changes = {}): Promise<void> {
    stream = new EngineStream({
      serverSettings: { ...fakeSettings(), ...changes },
      since: () => position
    });
    stream.received.connect((_, message) => heard.push(message));
    stream.opened.connect(() => opened++);
    stream.closed.connect(() => closed++);
    await pass();
  }

  beforeEach(() => {
    jest.useFakeTimers();
    // Pauses are drawn by chance: a short one is rare, and would be no fault.
    jest.spyOn(Math, 'random').mockReturnValue(0.9);
    position = null;
    heard = [];
    opened = 0;
    closed = 0;
  });

  afterEach(() => {
    stream.dispose();
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  it.each([
    [{ token: '' }, '/stream'],
    [{ appendToken: false }, '/stream'],
    [{ token: 'a b' }, '/stream?token=a%20b'],
    [{ wsUrl: 'wss://hub/user/x/' }, 'wss://hub/user/x/jupyter-runai/stream']
  ])('with %j asks at %s', async (changes, url) => {
    await open(changes);
    expect(FakeSocket.last.url.replace('?token=secret', '')).toMatch(
      new RegExp(`${url.replace('?', '\\?')}$`)
    );
  });

  it('asks from where it is each time it opens a socket', async () => {
    await open();
    expect(FakeSocket.last.since).toBeNull();
    position = 'a:7';
    stream.reconnect();
    await pass();
    expect(FakeSocket.last.since).toBe('a:7');
  });

  it('hears nothing more of a socket that it has left', async () => {
    await open();
    const [left] = FakeSocket.all;
    left?.accept();
    stream.reconnect();
    expect(left?.readyState).toBe(3);
    expect(left?.onmessage).toBeNull();
    expect(left?.onclose).toBeNull();
    expect([opened, closed]).toEqual([1, 1]);
    await pass();
    FakeSocket.last.accept();
    FakeSocket.last.say(heartbeat(0));
    expect(heard).toHaveLength(1);
    expect([opened, closed]).toEqual([2, 1]);
  });

  it('holds on to nothing of what it has heard', async () => {
    const { getHeapStatistics, setFlagsFromString } =
      jest.requireActual<IHeap>('node:v8');
    setFlagsFromString('--expose-gc');
    const collect = jest
      .requireActual<IScripts>('node:vm')
      .runInNewContext('gc');
    const held = async (messages: number): Promise<number> => {
      for (let seq = 0; seq < messages; seq++) {
        FakeSocket.last.say(heartbeat(seq));
        await Promise.resolve();
      }
      heard = [];
      await pass();
      collect();
      return getHeapStatistics().used_heap_size;
    };
    await open();
    FakeSocket.last.accept();
    const before = await held(1000);
    expect((await held(20_000)) - before).toBeLessThan(500_000);
  });

  it('sends while a socket is open, and nothing else', async () => {
    await open();
    const message = { type: 'follow', workload: 'w1', offset: 0 } as const;
    stream.send(message);
    expect(FakeSocket.last.sent).toEqual([]);
    FakeSocket.last.accept();
    stream.send(message);
    expect(FakeSocket.last.sent).toEqual([message]);
    FakeSocket.last.break();
    stream.send(message);
    expect(FakeSocket.last.sent).toHaveLength(1);
  });

  it('opens another at once after a line that worked, later after one that brought nothing', async () => {
    await open();
    FakeSocket.last.accept();
    FakeSocket.last.say(heartbeat(0));
    FakeSocket.last.break();
    await pass(1000);
    expect(FakeSocket.all).toHaveLength(2);
    for (let attempt = 0; attempt < 6; attempt++) {
      FakeSocket.last.break();
      await pass(60_000);
    }
    const before = FakeSocket.all.length;
    FakeSocket.last.break();
    await pass(1000);
    expect(FakeSocket.all).toHaveLength(before);
    await pass(60_000);
    expect(FakeSocket.all).toHaveLength(before + 1);
  });

  it('takes an error for nothing brought', async () => {
    await open();
    const problem = { code: 'x', message: 'No.', hint: '' };
    for (let attempt = 0; attempt < 6; attempt++) {
      FakeSocket.last.accept();
      FakeSocket.last.say({
        type: 'error',
        workload: null,
        topic: 'events',
        ...problem
      });
      FakeSocket.last.break();
      await pass(60_000);
    }
    const before = FakeSocket.all.length;
    FakeSocket.last.accept();
    FakeSocket.last.say({
      type: 'error',
      workload: null,
      topic: 'events',
      ...problem
    });
    FakeSocket.last.break();
    await pass(2000);
    expect(FakeSocket.all).toHaveLength(before);
  });

  it('is silent once it is given up', async () => {
    await open();
    const socket = FakeSocket.last;
    socket.accept();
    stream.dispose();
    stream.dispose();
    expect(stream.isDisposed).toBe(true);
    expect(socket.readyState).toBe(3);
    stream.reconnect();
    await pass(60_000);
    expect(FakeSocket.all).toHaveLength(1);
    expect([opened, closed, heard.length]).toEqual([1, 1, 0]);
  });
});
