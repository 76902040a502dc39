import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import type { JSX } from 'react';

import type { ITableActions } from '../components/actions';
import { WorkloadsTable } from '../components/table/WorkloadsTable';
import { gpuIcon } from '../icons';
import type { ILayout } from '../table/layout';
import type { IEngineModel } from '../tokens';
import { SeenWidget } from './seen';

/** The table of all workloads in the main area. */
export class TableWidget extends SeenWidget {
  constructor(options: TableWidget.IOptions) {
    super();
    this._options = options;
    this._tableLayout = options.layout;
    this.addClass('jp-Runai-tableWidget');
    this.title.icon = gpuIcon;
    this.title.label = options.trans.__('GPU Workloads');
  }

  /** How the user wants the table. */
  get tableLayout(): ILayout {
    return this._tableLayout;
  }

  /** Emitted when the user has changed the layout. */
  get layoutChanged(): ISignal<this, ILayout> {
    return this._layoutChanged;
  }

  /** Forget all listeners. */
  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    Signal.clearData(this);
    super.dispose();
  }

  protected override render(): JSX.Element {
    const { model, actions, trans } = this._options;
    return (
      <WorkloadsTable
        model={model}
        layout={this._tableLayout}
        actions={actions}
        trans={trans}
        isVisible={this.isVisible}
        changeLayout={this._changeLayout}
      />
    );
  }

  private readonly _changeLayout = (
    change: (before: ILayout) => ILayout
  ): void => {
    this._tableLayout = change(this._tableLayout);
    this._layoutChanged.emit(this._tableLayout);
    this.update();
  };

  private readonly _options: TableWidget.IOptions;
  private readonly _layoutChanged = new Signal<this, ILayout>(this);
  private _tableLayout: ILayout;
}

/** A namespace for TableWidget's options. */
export namespace TableWidget {
  /** What the table needs. */
  export interface IOptions {
    model: IEngineModel;

    /** How the user wanted the table last. */
    layout: ILayout;

    actions: ITableActions;
    trans: TranslationBundle;
  }
}
