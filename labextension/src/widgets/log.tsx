import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import type { WorkloadActions } from '../components/actions';
import { LogView } from '../components/LogView';
import { gpuIcon } from '../icons';
import type { IEngineModel, ILogFollower } from '../tokens';
import { SeenWidget } from './seen';

/** A workload's log in the main area. */
export class LogWidget extends SeenWidget {
  constructor(options: LogWidget.IOptions) {
    super();
    this.workload = options.workload;
    this._model = options.model;
    this._follower = options.model.followLog(options.workload);
    this._actions = options.actions;
    this._trans = options.trans;
    this.addClass('jp-Runai-logWidget');
    this.title.icon = gpuIcon;
    this._model.changed.connect(this._updateTitle, this);
    this._updateTitle();
  }

  /** The id of the workload whose log it is. */
  readonly workload: string;

  /** Follow the log no more. */
  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._model.changed.disconnect(this._updateTitle, this);
    this._follower.dispose();
    super.dispose();
  }

  protected override render(): JSX.Element {
    return (
      <LogView
        model={this._model}
        workload={this.workload}
        follower={this._follower}
        actions={this._actions}
        trans={this._trans}
        isVisible={this.isVisible}
      />
    );
  }

  /** A restored log is there before the workload's name is known, and may outlive it. */
  private _updateTitle(): void {
    const name = this._model.workload(this.workload)?.name;
    if (name !== undefined || this.title.label === '') {
      this.title.label = this._trans.__('Log of %1', name ?? this.workload);
    }
  }

  private readonly _model: IEngineModel;
  private readonly _follower: ILogFollower;
  private readonly _actions: WorkloadActions;
  private readonly _trans: TranslationBundle;
}

/** A namespace for LogWidget's options. */
export namespace LogWidget {
  /** What a log needs. */
  export interface IOptions {
    model: IEngineModel;

    /** The id of the workload whose log it is. */
    workload: string;

    actions: WorkloadActions;
    trans: TranslationBundle;
  }
}
