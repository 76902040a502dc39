import type { TranslationBundle } from '@jupyterlab/translation';

import {
  formatAsked,
  formatMemory,
  formatShare,
  heldShare
} from '../format/share';
import {
  elapsed,
  formatDate,
  formatElapsed,
  waited,
  idle
} from '../format/time';
import {
  detailLine,
  kindWord,
  placeLine,
  priorityWord,
  stateWord,
  yesOrNo
} from '../format/words';
import { stateOrder } from '../model/workloads';
import type { IWorkload } from '../wire';

/** The columns that there are. */
export type ColumnId =
  | 'name'
  | 'state'
  | 'kind'
  | 'queue'
  | 'owner'
  | 'priority'
  | 'preemptible'
  | 'asked'
  | 'held'
  | 'place'
  | 'node'
  | 'tasks'
  | 'created'
  | 'waited'
  | 'runtime'
  | 'idle'
  | 'ended'
  | 'detail'
  | 'restarts'
  | 'cpu'
  | 'memory'
  | 'id';

/** What a column shows of a workload; times are in seconds. */
export interface IColumn {
  readonly id: ColumnId;
  readonly title: string;

  /** How wide it is unless somebody changes it, in pixels. */
  readonly size: number;

  /** Whether it is hidden unless somebody shows it. */
  readonly isHidden?: boolean;

  /** Whether its figures are aligned at their end. */
  readonly isNumeric?: boolean;

  /** Whether it changes as time passes. */
  readonly isTimed?: boolean;

  readonly text: (workload: IWorkload, now: number) => string;

  /** What it is sorted by. */
  readonly key: (workload: IWorkload, now: number) => number | string;
}

/** All columns, in the order in which they are shown unless somebody changes it. */
export function columns(trans: TranslationBundle): readonly IColumn[] {
  return [...identity(trans), ...share(trans), ...times(trans), ...rest(trans)];
}

function identity(trans: TranslationBundle): IColumn[] {
  return [
    plain('name', trans.__('Workload'), 180, ({ name }) => name),
    {
      id: 'state',
      title: trans.__('State'),
      size: 110,
      text: workload => stateWord(workload, trans),
      key: stateOrder
    },
    plain('kind', trans.__('Type'), 100, each => kindWord(each, trans)),
    plain('queue', trans.__('Project'), 90, ({ queue }) => queue),
    plain('owner', trans.__('Created by'), 110, ({ owner }) => owner),
    {
      id: 'priority',
      title: trans.__('Priority'),
      size: 100,
      isHidden: true,
      text: ({ priority }) => priorityWord(priority, trans),
      key: ({ priority }) => priority
    },
    {
      ...plain('preemptible', trans.__('Preemptible'), 120, each =>
        yesOrNo(each.preemptible, trans)
      ),
      isHidden: true
    }
  ];
}

function share(trans: TranslationBundle): IColumn[] {
  return [
    {
      id: 'asked',
      title: trans.__('GPU request'),
      size: 125,
      text: workload => formatAsked(workload, trans),
      key: ({ request, tasks }) =>
        tasks * (request.gpu_devices ?? 1) * Number(request.gpu ?? 0) +
        (request.gpu_memory_mib ?? 0) / 1e6
    },
    {
      id: 'held',
      title: trans.__('GPU held'),
      size: 90,
      isNumeric: true,
      text: workload => {
        const held = heldShare(workload);
        return held === 0 ? '' : formatShare(held);
      },
      key: heldShare
    },
    plain('detail', trans.__('Where and why'), 300, workload =>
      detailLine(workload, trans)
    ),
    {
      ...plain('place', trans.__('Devices'), 260, each =>
        placeLine(each, trans)
      ),
      isHidden: true
    },
    {
      ...plain('node', trans.__('Node'), 110, ({ allocation }) =>
        allocation === null ? '' : allocation.node
      ),
      isHidden: true
    },
    {
      id: 'tasks',
      title: trans.__('Running / tasks'),
      size: 135,
      isNumeric: true,
      text: workload => `${runningTasks(workload)} / ${workload.tasks}`,
      key: runningTasks
    }
  ];
}

function times(trans: TranslationBundle): IColumn[] {
  return [
    {
      id: 'created',
      title: trans.__('Created'),
      size: 150,
      text: ({ created }) => formatDate(created),
      key: ({ created }) => created
    },
    {
      id: 'waited',
      title: trans.__('Time waited'),
      size: 115,
      isNumeric: true,
      isTimed: true,
      text: (workload, now) => formatElapsed(waited(workload, now)),
      key: waited
    },
    {
      id: 'runtime',
      title: trans.__('Run time'),
      size: 100,
      isNumeric: true,
      isTimed: true,
      text: (workload, now) =>
        workload.started === null ? '' : formatElapsed(elapsed(workload, now)),
      key: (workload, now) =>
        workload.started === null ? 0 : elapsed(workload, now)
    },
    {
      id: 'idle',
      title: trans.__('Idle for'),
      size: 90,
      isNumeric: true,
      isTimed: true,
      text: (workload, now) => {
        const seconds = idle(workload, now);
        return seconds === null ? '' : formatElapsed(seconds);
      },
      key: (workload, now) => idle(workload, now) ?? -1
    },
    {
      id: 'ended',
      title: trans.__('Completed'),
      size: 150,
      isHidden: true,
      text: ({ ended }) => (ended === null ? '' : formatDate(ended)),
      key: ({ ended }) => ended ?? Infinity
    }
  ];
}

function rest(trans: TranslationBundle): IColumn[] {
  return [
    hiddenNumber('restarts', trans.__('Restarts'), ({ restarts }) => restarts),
    {
      ...hiddenNumber(
        'cpu',
        trans.__('CPU request'),
        ({ request }) => (request.cpu_milli ?? 0) / 1000
      )
    },
    {
      ...hiddenNumber(
        'memory',
        trans.__('Memory request'),
        ({ request }) => request.memory_mib ?? 0
      ),
      text: ({ request }) => formatMemory(request.memory_mib ?? 0)
    },
    {
      ...plain('id', trans.__('Identifier'), 180, ({ id }) => id),
      isHidden: true
    }
  ];
}

function plain(
  id: ColumnId,
  title: string,
  size: number,
  text: (workload: IWorkload) => string
): IColumn {
  return { id, title, size, text, key: text };
}

function hiddenNumber(
  id: ColumnId,
  title: string,
  key: (workload: IWorkload) => number
): IColumn {
  return {
    id,
    title,
    size: 100,
    isHidden: true,
    isNumeric: true,
    text: workload => String(key(workload)),
    key
  };
}

function runningTasks({ state, tasks, task_states }: IWorkload): number {
  if (tasks > 1) {
    return task_states.running ?? 0;
  }
  return state === 'running' ? 1 : 0;
}
