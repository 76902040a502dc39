import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { EngineError } from '../model/api';
import type { IWorkloadChange } from '../model/book';
import type { IEngineModel } from '../tokens';
import type { IWorkload } from '../wire';

/** Which workload each kernel of the server is. */
export class KernelLeases implements IDisposable {
  constructor(options: KernelLeases.IOptions) {
    this._model = options.model;
    this._model.workloadChanged.connect(this._onWorkloadChanged, this);
  }

  /** Emitted when kernels have become workloads, or are none any more. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether nobody asks any more. */
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** The workload that a kernel is; null where it is none, or not known to be one. */
  workloadOf(kernel: string | null | undefined): IWorkload | null {
    const id = this._workloads.get(kernel ?? '');
    return this._model.workload(id ?? '') ?? null;
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

  private async _ask(): Promise<void> {
    try {
      const leases = await this._model.requests.leases();
      this._workloads = new Map(
        leases.map(({ kernel, workload }) => [kernel, workload])
      );
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

  private readonly _model: IEngineModel;
  private readonly _changed = new Signal<this, void>(this);
  private _workloads: ReadonlyMap<string, string> = new Map();
  private _asked = 0;
  private _isDisposed = false;
}

/** A namespace for KernelLeases' options. */
export namespace KernelLeases {
  /** What it needs. */
  export interface IOptions {
    model: IEngineModel;
  }
}
