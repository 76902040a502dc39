import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { IMeasured, IMeasuring } from '../tokens';
import type { IMeasurement, IProblem } from '../wire';

/** How many steps are kept: a day of minutes, and some. */
const MOST = 1500;

/** Gathers what one workload uses, whatever the connection does meanwhile. */
export class Measuring implements IMeasuring {
  constructor(options: Measuring.IOptions) {
    this.measured = options.measured;
    this._release = options.release;
    const { known = [], since } = options.measured;
    this._measurements = known.filter(({ at }) => at >= since);
    this._isKnown = this._measurements.length > 0;
  }

  /** Whose it is, and in which steps. */
  readonly measured: IMeasured;

  /** What was measured, oldest first; null until something was heard. */
  get measurements(): readonly IMeasurement[] | null {
    return this._isKnown ? this._measurements : null;
  }

  /** From when on it is to be asked for, in seconds. */
  get since(): number {
    return this._measurements.at(-1)?.at ?? this.measured.since;
  }

  /** Why nothing more is measured; null while it is. */
  get problem(): IProblem | null {
    return this._problem;
  }

  /** Emitted when any of the above has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether nobody looks any more. */
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Take what was measured: instead of what is known of the same times. */
  take(measured: readonly IMeasurement[]): void {
    const from = measured[0]?.at ?? Infinity;
    const before = this._measurements.filter(({ at }) => at < from);
    this._measurements = [...before, ...measured].slice(-MOST);
    this._isKnown = true;
    this._problem = null;
    this._changed.emit();
  }

  /** Nothing more comes, for now. */
  fail(problem: IProblem): void {
    this._problem = problem;
    this._changed.emit();
  }

  /** Look no more. */
  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    Signal.clearData(this);
    this._release(this);
  }

  private readonly _release: (measuring: Measuring) => void;
  private readonly _changed = new Signal<this, void>(this);
  private _measurements: readonly IMeasurement[];
  private _isKnown: boolean;
  private _problem: IProblem | null = null;
  private _isDisposed = false;
}

/** A namespace for Measuring's options. */
export namespace Measuring {
  /** What measuring needs. */
  export interface IOptions {
    /** Whose, and from when on. */
    measured: IMeasured;

    /** Called once, when it is disposed. */
    release: (measuring: Measuring) => void;
  }
}
