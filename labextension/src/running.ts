import type { IRunningSessions } from '@jupyterlab/running';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Throttler } from '@lumino/polling';
import { Signal } from '@lumino/signaling';

import { detailLine, stateWord } from './format/words';
import { gpuIcon } from './icons';
import { inOrder, isStoppable } from './model/workloads';
import type { IEngineModel } from './tokens';
import type { IWorkload } from './wire';

/** How often the list is drawn anew at most, in milliseconds. */
const PACE_MS = 500;

/** The user's live workloads among all else that runs. */
export class RunningWorkloads implements IRunningSessions.IManager {
  constructor(options: RunningWorkloads.IOptions) {
    const { model, trans } = options;
    this._options = options;
    this.name = trans.__('GPU workloads');
    this.shutdownLabel = trans.__('Stop');
    this.shutdownAllLabel = trans.__('Stop All');
    this.shutdownAllConfirmationText = trans.__(
      'Stop all your GPU workloads, those that wait too? They end for good.'
    );
    model.changed.connect(this._onChanged, this);
  }

  readonly name: string;
  readonly shutdownLabel: string;
  readonly shutdownAllLabel: string;
  readonly shutdownAllConfirmationText: string;
  readonly runningChanged = new Signal<this, void>(this);

  /** Those that can be stopped, newest first. */
  running(): IRunningSessions.IRunningItem[] {
    const { open, stop, trans } = this._options;
    return inOrder(this._live()).map(workload => ({
      icon: () => gpuIcon,
      label: () => workload.name,
      labelTitle: () => sentence(workload, trans),
      detail: () => stateWord(workload, trans),
      open: () => {
        open(workload.id);
      },
      shutdown: () => {
        stop([workload.id]);
      }
    }));
  }

  /** Stop all of them; the user has agreed. */
  shutdownAll(): void {
    this._options.stop(this._live().map(({ id }) => id));
  }

  /** They are always fresh. */
  refreshRunning(): void {
    this.runningChanged.emit();
  }

  private _live(): IWorkload[] {
    const { model } = this._options;
    return model.workloads.filter(
      each => model.isMine(each) && isStoppable(each)
    );
  }

  private _onChanged(): void {
    void this._pace.invoke();
  }

  private readonly _options: RunningWorkloads.IOptions;
  private readonly _pace = new Throttler(() => {
    this.refreshRunning();
  }, PACE_MS);
}

/** A namespace for RunningWorkloads' options. */
export namespace RunningWorkloads {
  /** What the list needs. */
  export interface IOptions {
    model: IEngineModel;

    /** Show all about the workload of that id. */
    open: (workload: string) => void;

    /** End the workloads of these ids. */
    stop: (workloads: string[]) => void;
    trans: TranslationBundle;
  }
}

function sentence(workload: IWorkload, trans: TranslationBundle): string {
  const detail = detailLine(workload, trans);
  const state = stateWord(workload, trans);
  return detail === '' ? state : trans.__('%1 · %2', state, detail);
}
