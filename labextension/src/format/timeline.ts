import type { TranslationBundle } from '@jupyterlab/translation';

import type { IWorkload } from '../wire';
import { elapsed, formatElapsed, waited } from './time';
import { endLine, placeLine, stateWord, waitingLine } from './words';

/** One point of a workload's life. */
export interface IMoment {
  readonly key: 'created' | 'started' | 'stop' | 'now' | 'ended';

  /** In seconds since the epoch; null for now. */
  readonly at: number | null;
  readonly label: string;
  readonly detail: string;
}

/** A workload's life so far, oldest first; `now` is in seconds. */
export function timeline(
  workload: IWorkload,
  now: number,
  trans: TranslationBundle
): IMoment[] {
  const { created, started, ended, stop_requested: asked } = workload;
  const moments: IMoment[] = [
    {
      key: 'created',
      at: created,
      label: trans.__('created'),
      detail: trans.__('by %1', workload.owner)
    }
  ];
  if (started !== null) {
    moments.push({
      key: 'started',
      at: started,
      label: trans.__('started'),
      detail: startDetail(workload, now, trans)
    });
  }
  if (asked !== null) {
    moments.push({
      key: 'stop',
      at: asked,
      label: trans.__('asked to stop'),
      detail: ''
    });
  }
  moments.push(last(workload, now, ended, trans));
  return moments;
}

function startDetail(
  workload: IWorkload,
  now: number,
  trans: TranslationBundle
): string {
  const wait = trans.__(
    'after waiting %1',
    formatElapsed(waited(workload, now))
  );
  return workload.restarts === 0
    ? wait
    : trans._n(
        '%2; started again %1 time since it was created',
        '%2; started again %1 times since it was created',
        workload.restarts,
        wait
      );
}

function last(
  workload: IWorkload,
  now: number,
  ended: number | null,
  trans: TranslationBundle
): IMoment {
  const label = stateWord(workload, trans);
  if (ended !== null) {
    const span =
      workload.started === null
        ? ''
        : trans.__('after %1', formatElapsed(elapsed(workload, now)));
    const detail = [span, endLine(workload, trans)]
      .filter(part => part !== '')
      .join(' · ');
    return { key: 'ended', at: ended, label, detail };
  }
  const detail =
    workload.allocation === null && workload.state !== 'suspended'
      ? waitingLine(workload, trans)
      : placeLine(workload, trans);
  return { key: 'now', at: null, label, detail };
}
