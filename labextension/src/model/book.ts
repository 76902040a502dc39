import type {
  EngineEvent,
  IDevice,
  IEngineInfo,
  IEngineStateEvent,
  IQueueStatus,
  IWorkload
} from '../wire';

/** How a workload changed: `before` is null for a new one, `after` for one that is gone. */
export interface IWorkloadChange {
  readonly before: IWorkload | null;
  readonly after: IWorkload | null;
}

/** What applying an event came to. */
export type Applied =
  | { readonly kind: 'changed'; readonly workloads: readonly IWorkloadChange[] }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'gap' };

const NOTHING: Applied = { kind: 'nothing' };
const GAP: Applied = { kind: 'gap' };

/**
 * What the engine last said, kept up to date by numbered events.
 *
 * Changing it in place keeps a delta cheap however many workloads there are;
 * what readers get is a fresh array only after something in it changed.
 */
export class Book {
  /** Which engine answers; null before the first full state. */
  get info(): IEngineInfo | null {
    return this._info;
  }

  /** All devices, in the engine's order. */
  get devices(): readonly IDevice[] {
    return this._devices;
  }

  /** All queues, in the engine's order. */
  get queues(): readonly IQueueStatus[] {
    return this._queues;
  }

  /** All workloads, in the order in which they became known. */
  get workloads(): readonly IWorkload[] {
    this._list ??= [...this._workloads.values()];
    return this._list;
  }

  /** The last event applied, as the server wants it to go on from there. */
  get position(): string | null {
    return this._epoch === null ? null : `${this._epoch}:${this._seq}`;
  }

  /** The workload of that id, if it is known. */
  workload(id: string): IWorkload | undefined {
    return this._workloads.get(id);
  }

  /** Forget the place in the stream, not what was learnt: the next event is a full state. */
  forgetPosition(): void {
    this._epoch = null;
  }

  /** Apply one event, unless it is old news or does not follow the last one. */
  apply(event: EngineEvent): Applied {
    if (event.type === 'state') {
      return this._restart(event);
    }
    if (event.epoch !== this._epoch) {
      return GAP;
    }
    if (event.type === 'heartbeat') {
      return event.seq > this._seq ? GAP : NOTHING;
    }
    if (event.seq <= this._seq) {
      return NOTHING;
    }
    if (event.seq > this._seq + 1) {
      return GAP;
    }
    this._seq = event.seq;
    switch (event.type) {
      case 'workload':
        return this._put(event.workload);
      case 'deleted':
        return this._remove(event.id);
      case 'devices':
        this._devices = event.devices;
        return { kind: 'changed', workloads: [] };
      case 'queues':
        this._queues = event.queues;
        return { kind: 'changed', workloads: [] };
      default:
        // A newer engine's event: its number counts, its content is left aside.
        return NOTHING;
    }
  }

  private _restart(event: IEngineStateEvent): Applied {
    const before = this._workloads;
    const isFirst = this._info === null;
    this._epoch = event.epoch;
    this._seq = event.seq;
    this._info = event.info;
    this._devices = event.devices;
    this._queues = event.queues;
    this._workloads = new Map(
      event.workloads.map(workload => [workload.id, workload])
    );
    this._list = null;
    return {
      kind: 'changed',
      workloads: isFirst ? [] : Private.compare(before, this._workloads)
    };
  }

  private _put(after: IWorkload): Applied {
    const before = this._workloads.get(after.id) ?? null;
    this._workloads.set(after.id, after);
    this._list = null;
    return { kind: 'changed', workloads: [{ before, after }] };
  }

  private _remove(id: string): Applied {
    const before = this._workloads.get(id);
    if (before === undefined) {
      return NOTHING;
    }
    this._workloads.delete(id);
    this._list = null;
    return { kind: 'changed', workloads: [{ before, after: null }] };
  }

  private _epoch: string | null = null;
  private _seq = 0;
  private _info: IEngineInfo | null = null;
  private _devices: readonly IDevice[] = [];
  private _queues: readonly IQueueStatus[] = [];
  private _workloads = new Map<string, IWorkload>();
  private _list: readonly IWorkload[] | null = null;
}

namespace Private {
  /** What became of the workloads while nobody listened. */
  export function compare(
    before: ReadonlyMap<string, IWorkload>,
    after: ReadonlyMap<string, IWorkload>
  ): IWorkloadChange[] {
    const changes: IWorkloadChange[] = [];
    for (const [id, workload] of after) {
      const known = before.get(id) ?? null;
      if (known?.state !== workload.state) {
        changes.push({ before: known, after: workload });
      }
    }
    for (const [id, workload] of before) {
      if (!after.has(id)) {
        changes.push({ before: workload, after: null });
      }
    }
    return changes;
  }
}
