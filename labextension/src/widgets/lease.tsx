import type { ISessionContext } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { LeaseButton } from '../components/LeaseButton';
import type { KernelLeases } from '../kernels/leases';
import type { IEngineModel } from '../tokens';
import type { IWorkload } from '../wire';
import { SeenWidget } from './seen';

/** What a notebook's kernel holds, in its toolbar. */
export class LeaseWidget extends SeenWidget {
  constructor(options: LeaseWidget.IOptions) {
    super();
    this._options = options;
    this.addClass('jp-Runai-lease');
    options.leases.changed.connect(this._onChanged, this);
    options.session.kernelChanged.connect(this._onKernelChanged, this);
    void options.leases.refresh();
  }

  protected override render(): JSX.Element {
    const { model, lease, trans, open } = this._options;
    return (
      <LeaseButton
        model={model}
        lease={lease}
        trans={trans}
        isVisible={this.isVisible}
        open={open}
      />
    );
  }

  private _onChanged(): void {
    this.update();
  }

  private _onKernelChanged(): void {
    void this._options.leases.refresh();
  }

  private readonly _options: LeaseWidget.IOptions;
}

/** A namespace for LeaseWidget's options. */
export namespace LeaseWidget {
  /** What the button needs. */
  export interface IOptions {
    model: IEngineModel;

    /** The workload that the kernel is; null where it is none. */
    lease: () => IWorkload | null;
    leases: KernelLeases;
    session: ISessionContext;
    trans: TranslationBundle;

    /** Show what can be done, below the button. */
    open: (button: HTMLElement) => Promise<void>;
  }
}
