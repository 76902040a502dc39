import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { isSnoozable } from '../model/workloads';
import type { IWorkload } from '../wire';
import type { INews, NewsKind } from './news';
import { newsWords, summaryWords } from './words';

/** So many of a kind are told one by one; more of them are told in one sentence. */
const FEW = 3;

/** How long after the last of a kind the next one begins anew, in milliseconds. */
const QUIET_MS = 30_000;

/** How long what asks for nothing stays, in milliseconds. */
const SHORT_MS = 10_000;

/** News of one kind that came soon after one another. */
interface IBurst {
  count: number;
  last: number;
  readonly single: string[];
  summary: string | null;
}

/** Tells news as notifications: a few one by one, many in one. */
export class NewsTeller {
  constructor(options: NewsTeller.IOptions) {
    this._options = options;
  }

  /** Tell it now; beside many of its kind it only counts. */
  tell(news: INews): void {
    const { kind } = news;
    const now = Date.now();
    const known = this._bursts.get(kind);
    const burst =
      known !== undefined && now - known.last < QUIET_MS
        ? known
        : { count: 0, last: now, single: [], summary: null };
    burst.last = now;
    burst.count += 1;
    this._bursts.set(kind, burst);
    if (burst.count <= FEW) {
      burst.single.push(this._tellOne(news));
    } else {
      this._tellAll(kind, burst);
    }
  }

  private _tellOne(news: INews): string {
    const { trans, open } = this._options;
    const { kind, workload } = news;
    const asksWhy = kind !== 'started' && kind !== 'ended';
    return Notification.emit(newsWords(news, trans), TYPES[kind], {
      autoClose: asksWhy ? false : SHORT_MS,
      actions: [
        ...(isSnoozable(workload) ? [this._putOff(workload)] : []),
        {
          label: asksWhy ? trans.__('Why?') : trans.__('Open'),
          caption: trans.__('Show the details of %1', workload.name),
          callback: () => {
            open(workload.id);
          }
        }
      ]
    });
  }

  private _putOff({ id, name }: IWorkload): Notification.IAction {
    const { trans, snooze } = this._options;
    return {
      label: trans.__('Not yet'),
      caption: trans.__('Let %1 be idle for longer', name),
      callback: () => {
        snooze(id);
      }
    };
  }

  private _tellAll(kind: NewsKind, burst: IBurst): void {
    const { trans, openAll } = this._options;
    for (const id of burst.single.splice(0)) {
      Notification.dismiss(id);
    }
    const message = summaryWords(kind, burst.count, trans);
    const { summary } = burst;
    if (summary !== null && Notification.manager.has(summary)) {
      Notification.update({ id: summary, message });
      return;
    }
    burst.summary = Notification.emit(message, TYPES[kind], {
      autoClose: SHORT_MS,
      actions: [
        {
          label: trans.__('Open'),
          caption: trans.__('Show all workloads'),
          callback: () => {
            openAll();
          }
        }
      ]
    });
  }

  private readonly _options: NewsTeller.IOptions;
  private readonly _bursts = new Map<NewsKind, IBurst>();
}

/** A namespace for NewsTeller's options. */
export namespace NewsTeller {
  /** What it needs. */
  export interface IOptions {
    /** Show all about the workload of that id. */
    open: (workload: string) => void;

    /** Put off what a rule is to do to the workload of that id. */
    snooze: (workload: string) => void;

    /** Show all workloads. */
    openAll: () => void;
    trans: TranslationBundle;
  }
}

const TYPES: Readonly<Record<NewsKind, Notification.TypeOptions>> = {
  started: 'info',
  stuck: 'warning',
  preempted: 'warning',
  warned: 'warning',
  ended: 'success',
  failed: 'error'
};
