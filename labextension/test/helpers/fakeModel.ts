import { Signal } from '@lumino/signaling';

import { Book } from '../../src/model/book';
import type { IWorkloadChange } from '../../src/model/book';
import { LogFollower } from '../../src/model/logFollower';
import type { IConnection, IEngineModel } from '../../src/tokens';
import type { EngineEvent, IEngineInfo, IWorkload } from '../../src/wire';
import { info, state } from './sample';

/** A model that is told what it knows. */
export class FakeModel implements IEngineModel {
  constructor(event?: EngineEvent) {
    if (event !== undefined) {
      this.book.apply(event);
      this.connection = { phase: 'live', heard: 0, problem: null };
    }
  }

  readonly book = new Book();
  readonly changed = new Signal<this, void>(this);
  readonly workloadChanged = new Signal<this, IWorkloadChange>(this);
  readonly stopped: string[] = [];
  readonly suspended: string[] = [];
  readonly resumed: string[] = [];
  readonly deleted: string[] = [];
  readonly restored: string[] = [];
  readonly followers: LogFollower[] = [];
  isDisposed = false;
  connection: IConnection = { phase: 'starting', heard: null, problem: null };

  get info() {
    return this.book.info;
  }

  get devices() {
    return this.book.devices;
  }

  get queues() {
    return this.book.queues;
  }

  get workloads() {
    return this.book.workloads;
  }

  workload(id: string): IWorkload | undefined {
    return this.book.workload(id);
  }

  isMine(workload: IWorkload): boolean {
    return workload.owner === this.info?.user;
  }

  stop(id: string): Promise<IWorkload> {
    this.stopped.push(id);
    return this.known(id);
  }

  suspend(id: string): Promise<IWorkload> {
    this.suspended.push(id);
    return this.known(id);
  }

  resume(id: string): Promise<IWorkload> {
    this.resumed.push(id);
    return this.known(id);
  }

  async delete(id: string): Promise<void> {
    this.deleted.push(id);
    await this.known(id);
  }

  restore(id: string): Promise<IWorkload> {
    this.restored.push(id);
    return this.known(id);
  }

  private known(id: string): Promise<IWorkload> {
    const workload = this.workload(id);
    return workload
      ? Promise.resolve(workload)
      : Promise.reject(new Error('not known'));
  }

  simulate(devices: string | null): Promise<IEngineInfo> {
    return Promise.resolve(info({ simulated: devices }));
  }

  followLog(): LogFollower {
    const follower = new LogFollower({ release: () => undefined });
    this.followers.push(follower);
    return follower;
  }

  /** Tell it something, and its listeners too. */
  tell(event: EngineEvent): void {
    const applied = this.book.apply(event);
    if (applied.kind === 'changed') {
      applied.workloads.forEach(change => {
        this.workloadChanged.emit(change);
      });
    }
    this.changed.emit();
  }

  /** Change what it says of its connection. */
  connect(connection: IConnection): void {
    this.connection = connection;
    this.changed.emit();
  }

  dispose(): void {
    this.isDisposed = true;
  }
}

/** A live model with nothing in it but what is given. */
export function liveModel(
  changes: Parameters<typeof state>[0] = {}
): FakeModel {
  return new FakeModel(state(changes));
}
