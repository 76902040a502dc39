import type { IMeasured, IMeasuring } from '../tokens';
import type {
  ClientMessage,
  IMeasurementsMessage,
  IMeasurementStep,
  IProblem
} from '../wire';
import { Followers } from './followers';
import { Measuring } from './measuring';

/** The workloads whose use is looked at, whatever the connection does meanwhile. */
export class Measurings {
  constructor(options: Measurings.IOptions) {
    this._send = options.send;
  }

  /** Look at what a workload uses. */
  begin(measured: IMeasured): IMeasuring {
    const { workload, step } = measured;
    const key = Private.keyOf(workload, step);
    const measuring = new Measuring({
      measured,
      release: released => {
        if (this._followers.remove(key, released)) {
          this._send({ type: 'unmeasure', workload, step });
        }
      }
    });
    this._followers.add(key, measuring);
    this._ask(workload, step);
    return measuring;
  }

  /** Ask anew, each from where it is. */
  resume(): void {
    for (const [, [first]] of this._followers.all()) {
      if (first !== undefined) {
        this._ask(first.measured.workload, first.measured.step);
      }
    }
  }

  /** What was measured. */
  hear(message: IMeasurementsMessage): void {
    const { workload, step, measurements } = message;
    for (const measuring of this._followers.of(Private.keyOf(workload, step))) {
      measuring.take(measurements);
    }
  }

  /** What a workload uses cannot be told. */
  fail(workload: string, problem: IProblem): void {
    for (const measuring of this._followers.all().flatMap(([, all]) => all)) {
      if (measuring.measured.workload === workload) {
        measuring.fail(problem);
      }
    }
  }

  /** Look at none any more. */
  clear(): void {
    this._followers.clear();
  }

  private _ask(workload: string, step: IMeasurementStep): void {
    const all = this._followers.of(Private.keyOf(workload, step));
    const since = Math.min(...all.map(measuring => measuring.since));
    this._send({ type: 'measure', workload, step, since });
  }

  private readonly _send: (message: ClientMessage) => void;
  private readonly _followers = new Followers<Measuring>();
}

/** A namespace for Measurings' options. */
export namespace Measurings {
  /** What looking at workloads needs. */
  export interface IOptions {
    /** Tell the server; lost while no socket is open. */
    send: (message: ClientMessage) => void;
  }
}

namespace Private {
  /** What is followed, as one name. */
  export function keyOf(workload: string, step: IMeasurementStep): string {
    return `${step} ${workload}`;
  }
}
