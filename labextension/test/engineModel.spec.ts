import { EngineModel } from '../src/model/engineModel';
import type { IWorkloadChange } from '../src/model/book';
import type { EngineEvent } from '../src/wire';
import { FakeSocket, fakeSettings } from './helpers/fakeServer';
import {
  ME,
  device,
  info,
  measurement,
  state,
  workload,
  heartbeat
} from './helpers/sample';

/** Let timers that are due and promises that are settled run. */
async function pass(milliseconds = 5): Promise<void> {
  await jest.advanceTimersByTimeAsync(milliseconds);
}

function changed(seq: number, id = 'w1'): EngineEvent {
  return { type: 'workload', epoch: 'a', seq, workload: workload({ id }) };
}

describe('EngineModel', () => {
  let model: EngineModel;
  let asked: Request[];
  let answer: Response;

  beforeEach(async () => {
    jest.useFakeTimers();
    asked = [];
    answer = Response.json({});
    model = new EngineModel({
      serverSettings: fakeSettings(request => {
        asked.push(request);
        return answer;
      })
    });
    await pass();
  });

  afterEach(() => {
    model.dispose();
    jest.useRealTimers();
  });

  /** The server accepts and sends everything. */
  function start(): void {
    FakeSocket.last.accept();
    FakeSocket.last.say(state({ devices: [device()] }));
  }

  describe('connecting', () => {
    it('opens one socket under the base URL, with the token and no position', () => {
      expect(FakeSocket.all).toHaveLength(1);
      expect(FakeSocket.last.url).toBe(
        'ws://localhost:8888/user/a%40b/jupyter-runai/stream?token=secret'
      );
      expect(model.connection).toEqual({
        phase: 'starting',
        heard: null,
        problem: null
      });
    });

    it('is live from the first full state on', () => {
      let changes = 0;
      model.changed.connect(() => changes++);
      start();
      expect(model.connection.phase).toBe('live');
      expect(model.connection.heard).toBe(Date.now());
      expect(model.info).toEqual(info());
      expect(model.devices).toEqual([device()]);
      expect(model.queues).toEqual([]);
      expect(changes).toBe(1);
    });

    it('goes on from the last event after a line that worked has broken', async () => {
      start();
      FakeSocket.last.say(changed(1));
      FakeSocket.last.break();
      expect(model.connection.phase).toBe('lost');
      expect(model.workloads).toHaveLength(1);
      await pass(1000);
      expect(FakeSocket.all).toHaveLength(2);
      expect(FakeSocket.last.since).toBe('a:1');
      FakeSocket.last.accept();
      FakeSocket.last.say(heartbeat(1));
      expect(model.connection.phase).toBe('live');
    });

    it('tries a server that is gone ever more rarely', async () => {
      for (let hour = 0; hour < 60; hour++) {
        FakeSocket.last.break();
        await pass(60_000);
      }
      expect(model.connection.phase).toBe('lost');
      const attempts = FakeSocket.all.length;
      FakeSocket.last.break();
      await pass(500);
      expect(FakeSocket.all).toHaveLength(attempts);
    });

    it('says that nobody is logged in any more, until somebody is', async () => {
      const problem = {
        code: 'not_logged_in',
        message: 'You are not logged in.',
        hint: 'Log in again.'
      };
      answer = Response.json(problem, { status: 403 });
      FakeSocket.last.break();
      await pass();
      expect(model.connection).toMatchObject({ phase: 'lost', problem });
      await pass(2000);
      start();
      expect(model.connection).toMatchObject({ phase: 'live', problem: null });
    });

    it('does not take another refusal for the reason', async () => {
      const problem = { code: 'conflict', message: 'No.', hint: '' };
      answer = Response.json(problem, { status: 409 });
      FakeSocket.last.break();
      await pass();
      expect(model.connection).toMatchObject({ phase: 'lost', problem: null });
    });

    it('keeps why there is no engine until there is one', async () => {
      const problem = {
        code: 'locked',
        message: 'It is locked.',
        hint: 'Wait.'
      };
      FakeSocket.last.accept();
      const error = { type: 'error', topic: 'events', workload: null } as const;
      FakeSocket.last.say({ ...error, ...problem });
      FakeSocket.last.break();
      expect(model.connection).toEqual({ phase: 'lost', heard: null, problem });
      await pass(60_000);
      FakeSocket.last.break();
      expect(model.connection.problem).toEqual(problem);
      await pass(60_000);
      start();
      expect(model.connection.problem).toBeNull();
    });

    it('starts over without a position after a gap', async () => {
      start();
      FakeSocket.last.say(changed(3));
      await pass();
      expect(FakeSocket.all).toHaveLength(2);
      expect(FakeSocket.all[0]?.readyState).toBe(3);
      expect(FakeSocket.last.since).toBeNull();
      expect(model.connection.phase).toBe('lost');
      FakeSocket.last.accept();
      FakeSocket.last.say(state({ seq: 3, workloads: [workload()] }));
      expect(model.connection.phase).toBe('live');
      expect(model.workloads).toHaveLength(1);
    });

    it('does not storm a server that always leaves a gap', async () => {
      for (let round = 0; round < 5; round++) {
        start();
        FakeSocket.last.say(changed(3));
        await pass();
      }
      expect(FakeSocket.all.length).toBeLessThan(4);
    });

    it('gives up a line that is silent', async () => {
      start();
      await pass(44_000);
      FakeSocket.last.say(heartbeat(0));
      await pass(44_000);
      expect(FakeSocket.all).toHaveLength(1);
      await pass(2000);
      expect(FakeSocket.all).toHaveLength(2);
      expect(FakeSocket.last.since).toBe('a:0');
    });

    it('opens no more sockets once it is disposed', async () => {
      start();
      model.dispose();
      model.dispose();
      expect(FakeSocket.last.readyState).toBe(3);
      await pass(120_000);
      expect(FakeSocket.all).toHaveLength(1);
      expect(model.isDisposed).toBe(true);
    });

    it('opens none while the tab is hidden', async () => {
      start();
      jest.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden');
      document.dispatchEvent(new Event('visibilitychange'));
      FakeSocket.last.break();
      await pass(600_000);
      // Lumino lets a hidden poll linger for one more turn.
      FakeSocket.last.break();
      await pass(600_000);
      expect(FakeSocket.all.length).toBeLessThanOrEqual(2);
      jest.restoreAllMocks();
      document.dispatchEvent(new Event('visibilitychange'));
      const before = FakeSocket.all.length;
      await pass(60_000);
      expect(FakeSocket.all).toHaveLength(before + 1);
    });
  });

  describe('changes', () => {
    it('says what was and what is', () => {
      const changes: IWorkloadChange[] = [];
      model.workloadChanged.connect((_, change) => changes.push(change));
      start();
      FakeSocket.last.say(changed(1));
      FakeSocket.last.say({ type: 'deleted', epoch: 'a', seq: 2, id: 'w1' });
      expect(changes).toEqual([
        { before: null, after: workload() },
        { before: workload(), after: null }
      ]);
    });

    it('says nothing when nothing has changed', () => {
      start();
      let changes = 0;
      model.changed.connect(() => changes++);
      FakeSocket.last.say(heartbeat(0));
      expect(changes).toBe(0);
    });

    it('knows whose a workload is', () => {
      expect(model.isMine(workload({ owner: ME }))).toBe(false);
      start();
      expect(model.isMine(workload({ owner: ME }))).toBe(true);
      expect(model.isMine(workload({ owner: 'user-b' }))).toBe(false);
    });

    it('takes 50,000 deltas in order, and goes on from the last when the line has broken', async () => {
      start();
      const heard = jest.fn();
      model.workloadChanged.connect(heard);
      for (let seq = 1; seq <= 50_000; seq++) {
        FakeSocket.last.say(changed(seq, `w${seq % 10_000}`));
      }
      expect(heard).toHaveBeenCalledTimes(50_000);
      expect(model.workloads).toHaveLength(10_000);
      expect(model.workload('w9999')).toBeDefined();
      expect(FakeSocket.all).toHaveLength(1);
      FakeSocket.last.break();
      await jest.advanceTimersByTimeAsync(2000);
      expect(FakeSocket.last.since).toBe('a:50000');
    });
  });

  describe('logs', () => {
    function say(offset: number, text: string): void {
      const next = offset + text.length;
      FakeSocket.last.say({ type: 'log', workload: 'w1', offset, next, text });
    }

    it('follows from the beginning, and after a reconnection where it was', async () => {
      start();
      const follower = model.followLog('w1');
      expect(FakeSocket.last.sent).toEqual([
        { type: 'follow', workload: 'w1', offset: -2_000_000 }
      ]);
      say(0, 'hello');
      FakeSocket.last.break();
      await pass(1000);
      FakeSocket.last.accept();
      expect(FakeSocket.last.sent).toEqual([
        { type: 'follow', workload: 'w1', offset: 5 }
      ]);
      say(5, ' again');
      expect(follower.text.toString()).toBe('hello again');
    });

    it('asks once a socket is open for what was wanted before', () => {
      model.followLog('w1');
      expect(FakeSocket.last.sent).toEqual([]);
      start();
      expect(FakeSocket.last.sent).toEqual([
        { type: 'follow', workload: 'w1', offset: -2_000_000 }
      ]);
    });

    it('asks no more for a log that is complete', async () => {
      start();
      const follower = model.followLog('w1');
      FakeSocket.last.say({ type: 'log_end', workload: 'w1' });
      expect(follower.isComplete).toBe(true);
      FakeSocket.last.break();
      await pass(1000);
      FakeSocket.last.accept();
      expect(FakeSocket.last.sent).toEqual([]);
    });

    it('keeps a log that cannot be read apart from an engine that is gone', () => {
      start();
      const follower = model.followLog('w1');
      const problem = { code: 'not_found', message: 'No log.', hint: '' };
      const error = { type: 'error', topic: 'log', workload: 'w1' } as const;
      FakeSocket.last.say({ ...error, ...problem });
      expect(follower.problem).toEqual(problem);
      expect(model.connection.phase).toBe('live');
    });

    it('unfollows when the last follower is gone', () => {
      start();
      const [one, other] = [model.followLog('w1'), model.followLog('w1')];
      one.dispose();
      expect(FakeSocket.last.sent.at(-1)?.type).toBe('follow');
      other.dispose();
      expect(FakeSocket.last.sent.at(-1)).toEqual({
        type: 'unfollow',
        workload: 'w1'
      });
    });
  });

  describe('measurements', () => {
    it('come as they are measured, and after a reconnection from where they were', async () => {
      start();
      const asked = { workload: 'w1', step: 'second', since: 10 } as const;
      const measuring = model.measure(asked);
      expect(FakeSocket.last.sent).toEqual([{ type: 'measure', ...asked }]);
      const { workload, step } = asked;
      const say = (at: number): void => {
        const measurements = [measurement({ at })];
        const type = 'measurements';
        FakeSocket.last.say({ type, workload, step, measurements });
      };
      say(11);
      FakeSocket.last.break();
      await pass(1000);
      FakeSocket.last.accept();
      expect(FakeSocket.last.sent).toEqual([
        { type: 'measure', ...asked, since: 11 }
      ]);
      say(12);
      expect(measuring.measurements?.map(({ at }) => at)).toEqual([11, 12]);
    });
  });

  describe('requests', () => {
    it('stops a workload', async () => {
      answer = Response.json(workload({ stop_requested: 2000 }));
      const stopped = await model.requests.stop('a/b');
      expect(stopped.stop_requested).toBe(2000);
      expect(asked[0]?.method).toBe('POST');
      expect(asked[0]?.url.split('?')[0]).toBe(
        'http://localhost:8888/user/a%40b/jupyter-runai/workloads/a%2Fb/stop'
      );
    });

    it('changes devices and starts over', async () => {
      start();
      answer = Response.json(info({ simulated: '1xT4-16GB' }));
      const engine = await model.simulate('1xT4-16GB');
      expect(engine.simulated).toBe('1xT4-16GB');
      expect(await asked[0]?.json()).toEqual({ devices: '1xT4-16GB' });
      await pass();
      expect(FakeSocket.all).toHaveLength(2);
      expect(FakeSocket.last.since).toBeNull();
    });

    it('rejects with what the server said', async () => {
      answer = Response.json(
        { code: 'conflict', message: 'It has ended.', hint: 'Look again.' },
        { status: 409 }
      );
      await expect(model.requests.stop('w1')).rejects.toMatchObject({
        name: 'EngineError',
        code: 'conflict',
        message: 'It has ended.',
        hint: 'Look again.'
      });
    });

    it('rejects with the status where a proxy answered', async () => {
      answer = new Response('<html>', {
        status: 502,
        statusText: 'Bad Gateway'
      });
      await expect(model.requests.stop('w1')).rejects.toMatchObject({
        code: '502',
        message: '502 Bad Gateway',
        hint: ''
      });
    });
  });
});
