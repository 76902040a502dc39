import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import type { IActions } from '../components/actions';
import { Panel } from '../components/Panel';
import { gpuIcon } from '../icons';
import type { IArrangement } from '../panel/arrangement';
import type { IEngineModel, IWorkspaces } from '../tokens';
import { SeenWidget } from './seen';

/** The side panel in the application's sidebar. */
export class PanelWidget extends SeenWidget {
  constructor(options: PanelWidget.IOptions) {
    super();
    const { trans } = options;
    this._options = options;
    void options.arrangement.then(arrangement => {
      this._arrangement = arrangement;
      if (this.isAttached) {
        this.update();
      }
    });
    this.id = 'jp-runai-panel';
    this.addClass('jp-Runai-panelWidget');
    this.title.icon = gpuIcon;
    this.title.caption = trans.__('GPU devices and workloads');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('GPU'));
  }

  protected override render(): JSX.Element {
    if (this._arrangement === null) {
      return <></>;
    }
    return (
      <Panel
        {...this._options}
        arrangement={this._arrangement}
        isVisible={this.isVisible}
      />
    );
  }

  private readonly _options: PanelWidget.IOptions;
  private _arrangement: IArrangement | null = null;
}

/** A namespace for PanelWidget's options. */
export namespace PanelWidget {
  /** What the panel needs. */
  export interface IOptions {
    model: IEngineModel;
    workspaces: IWorkspaces;
    actions: IActions;
    trans: TranslationBundle;

    /** How the sections were arranged when it was last seen. */
    arrangement: Promise<IArrangement>;

    /** Told each change of that. */
    arrange: (arrangement: IArrangement) => void;
  }
}
