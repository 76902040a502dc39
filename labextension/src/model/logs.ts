import type { ILogFollower } from '../tokens';
import type {
  ClientMessage,
  ILogEndMessage,
  ILogMessage,
  IProblem
} from '../wire';
import { Followers } from './followers';
import { LogFollower } from './logFollower';
import { LIMIT } from './logText';

/** The logs that are followed, whatever the connection does meanwhile. */
export class Logs {
  constructor(options: Logs.IOptions) {
    this._send = options.send;
  }

  /** Follow a workload's log: all of it, or its end where it is long. */
  follow(workload: string): ILogFollower {
    const follower = new LogFollower({
      release: released => {
        if (this._followers.remove(workload, released)) {
          this._send({ type: 'unfollow', workload });
        }
      }
    });
    this._followers.add(workload, follower);
    this._ask(workload, follower.next);
    return follower;
  }

  /** Ask anew for what is not complete, each from where it is. */
  resume(): void {
    for (const [workload, followers] of this._followers.all()) {
      const waiting = followers.filter(follower => !follower.isComplete);
      if (waiting.length > 0) {
        const offset = Math.min(...waiting.map(follower => follower.next));
        this._ask(workload, offset);
      }
    }
  }

  /** The next piece of a log, or that there is none. */
  hear(message: ILogMessage | ILogEndMessage): void {
    for (const follower of this._followers.of(message.workload)) {
      if (message.type === 'log') {
        follower.append(message);
      } else {
        follower.complete();
      }
    }
  }

  /** The log of a workload cannot be read. */
  fail(workload: string, problem: IProblem): void {
    for (const follower of this._followers.of(workload)) {
      follower.complete(problem);
    }
  }

  /** Follow none any more. */
  clear(): void {
    this._followers.clear();
  }

  /** Of what is there already no more is asked for than is kept. */
  private _ask(workload: string, next: number): void {
    const offset = next === 0 ? -LIMIT : next;
    this._send({ type: 'follow', workload, offset });
  }

  private readonly _send: (message: ClientMessage) => void;
  private readonly _followers = new Followers<LogFollower>();
}

/** A namespace for Logs' options. */
export namespace Logs {
  /** What following logs needs. */
  export interface IOptions {
    /** Tell the server; lost while no socket is open. */
    send: (message: ClientMessage) => void;
  }
}
