import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import type { JSX } from 'react';

import type { IChoice } from '../analytics/choice';
import { AnalyticsView } from '../components/analytics/AnalyticsView';
import { chartIcon } from '../icons';
import type { IEngineModel } from '../tokens';
import { SeenWidget } from './seen';

/** Who used what, in the main area. */
export class AnalyticsWidget extends SeenWidget {
  constructor(options: AnalyticsWidget.IOptions) {
    super();
    this._options = options;
    this._choice = options.choice;
    this.addClass('jp-Runai-analyticsWidget');
    this.title.icon = chartIcon;
    this.title.label = options.trans.__('GPU Analytics');
  }

  /** What is shown. */
  get choice(): IChoice {
    return this._choice;
  }

  /** Emitted when something else is to be shown. */
  get choiceChanged(): ISignal<this, IChoice> {
    return this._choiceChanged;
  }

  /** Show something else. */
  readonly choose = (choice: IChoice): void => {
    this._choice = choice;
    this._choiceChanged.emit(choice);
    this.update();
  };

  /** Forget all listeners. */
  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    Signal.clearData(this);
    super.dispose();
  }

  protected override render(): JSX.Element {
    const { model, trans, openDetails, submit } = this._options;
    return (
      <AnalyticsView
        model={model}
        choice={this._choice}
        choose={this.choose}
        openDetails={openDetails}
        submit={submit}
        trans={trans}
        isVisible={this.isVisible}
      />
    );
  }

  private readonly _options: AnalyticsWidget.IOptions;
  private readonly _choiceChanged = new Signal<this, IChoice>(this);
  private _choice: IChoice;
}

/** A namespace for AnalyticsWidget's options. */
export namespace AnalyticsWidget {
  /** What the page needs. */
  export interface IOptions {
    model: IEngineModel;

    /** What to show at first. */
    choice: IChoice;

    /** Show all about a workload. */
    openDetails: (id: string) => void;

    /** Submit a workload through a dialog. */
    submit: () => void;

    trans: TranslationBundle;
  }
}
