import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import type { WorkloadActions } from '../components/actions';
import { DetailsView } from '../components/details/DetailsView';
import type { Page } from '../components/details/DetailsView';
import { gpuIcon } from '../icons';
import type { IEngineModel, ILogFollower } from '../tokens';
import type { ISpecChange } from '../wire';
import { SeenWidget } from './seen';

/** All about a workload in the main area. */
export class DetailsWidget extends SeenWidget {
  constructor(options: DetailsWidget.IOptions) {
    super();
    this.workload = options.workload;
    this._options = options;
    this._follower = options.model.followLog(options.workload);
    this.addClass('jp-Runai-detailsWidget');
    this.title.icon = gpuIcon;
    options.model.changed.connect(this._updateTitle, this);
    this._updateTitle();
  }

  /** The id of the workload. */
  readonly workload: string;

  /** Show that page of it. */
  turnTo(page: Page): void {
    this._page = page;
    if (this.isAttached) {
      this.update();
    }
  }

  /** Follow its log no more. */
  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._options.model.changed.disconnect(this._updateTitle, this);
    this._follower.dispose();
    super.dispose();
  }

  protected override render(): JSX.Element {
    const { model, actions, trans, copy } = this._options;
    return (
      <DetailsView
        model={model}
        workload={this.workload}
        follower={this._follower}
        actions={actions}
        trans={trans}
        isVisible={this.isVisible}
        copy={copy}
        page={this._page}
        turnTo={page => {
          this.turnTo(page);
        }}
      />
    );
  }

  /** What is restored is there before the workload's name is known, and may outlive it. */
  private _updateTitle(): void {
    const name = this._options.model.workload(this.workload)?.name;
    if (name !== undefined || this.title.label === '') {
      this.title.label = name ?? this.workload;
    }
  }

  private readonly _options: DetailsWidget.IOptions;
  private readonly _follower: ILogFollower;
  private _page: Page | null = null;
}

/** A namespace for DetailsWidget's options. */
export namespace DetailsWidget {
  /** What the details need. */
  export interface IOptions {
    model: IEngineModel;

    /** The id of the workload. */
    workload: string;

    actions: WorkloadActions;
    trans: TranslationBundle;

    /** Submit another like it, with a change. */
    copy: (id: string, change?: ISpecChange) => void;
  }
}
