import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { ILogFollower } from '../tokens';
import type { ILogMessage, IProblem } from '../wire';
import { LogText } from './logText';

/** Gathers one workload's log, whatever the connection does meanwhile. */
export class LogFollower implements ILogFollower {
  constructor(options: LogFollower.IOptions) {
    this._release = options.release;
  }

  /** What was written so far. */
  readonly text = new LogText();

  /** The offset in bytes of what comes next. */
  get next(): number {
    return this._next;
  }

  /** Why the log cannot be read; null while it can. */
  get problem(): IProblem | null {
    return this._problem;
  }

  /** Whether nothing more is to come: all of it is here, or there is a problem. */
  get isComplete(): boolean {
    return this._isComplete;
  }

  /** Emitted when there is more text, or no more to come. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether nobody follows any more. */
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Take the next piece; one that is here already is left aside. */
  append(message: ILogMessage): void {
    if (message.next <= this._next) {
      return;
    }
    const missing = message.offset - this._next;
    if (missing > 0) {
      this.text.skip(missing);
    }
    this.text.append(Private.after(message.text, -missing));
    this._next = message.next;
    this._changed.emit();
  }

  /** No more is to come, for a reason if it is not the workload's end. */
  complete(problem: IProblem | null = null): void {
    this._problem = problem;
    this._isComplete = true;
    this._changed.emit();
  }

  /** Follow no more. */
  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    Signal.clearData(this);
    this._release(this);
  }

  private readonly _release: (follower: LogFollower) => void;
  private readonly _changed = new Signal<this, void>(this);
  private _problem: IProblem | null = null;
  private _next = 0;
  private _isComplete = false;
  private _isDisposed = false;
}

/** A namespace for LogFollower's options. */
export namespace LogFollower {
  /** What a follower needs. */
  export interface IOptions {
    /** Called once, when the follower is disposed. */
    release: (follower: LogFollower) => void;
  }
}

namespace Private {
  /** The text without its first bytes, which are here already. */
  export function after(text: string, bytes: number): string {
    if (bytes <= 0) {
      return text;
    }
    return new TextDecoder().decode(
      new TextEncoder().encode(text).slice(bytes)
    );
  }
}
