import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { EngineError } from '../model/api';
import type { IWorkloadChange } from '../model/book';
import type { IEngineModel } from '../tokens';

/** What the server says of kernels, asked for anew when one that is a workload may have changed it. */
export abstract class KernelAnswer<T> implements IDisposable {
  constructor(model: IEngineModel, first: T) {
    this.model = model;
    this.value = first;
    model.workloadChanged.connect(this._onWorkloadChanged, this);
  }

  /** Emitted when there is another answer. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether nobody asks any more. */
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Ask the server, once more where it is being asked already. */
  async refresh(): Promise<void> {
    this._asked += 1;
    if (this._asked > 1) {
      return;
    }
    while (this._asked > 0 && !this._isDisposed) {
      this._asked = 1;
      await this._ask();
      this._asked -= 1;
    }
  }

  /** Ask no more. */
  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    Signal.clearData(this);
  }

  protected abstract request(): Promise<T>;

  private async _ask(): Promise<void> {
    try {
      this.value = await this.request();
    } catch (error) {
      // What was known stays; the next change asks again.
      if (!(error instanceof EngineError)) {
        throw error;
      }
    }
    this._changed.emit();
  }

  private _onWorkloadChanged(
    _: IEngineModel,
    { before, after }: IWorkloadChange
  ): void {
    if (after?.kind === 'workspace' && after.state !== before?.state) {
      void this.refresh();
    }
  }

  protected readonly model: IEngineModel;

  /** The last answer. */
  protected value: T;
  private readonly _changed = new Signal<this, void>(this);
  private _asked = 0;
  private _isDisposed = false;
}
