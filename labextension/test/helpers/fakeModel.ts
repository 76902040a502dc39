import { Signal } from '@lumino/signaling';

import { Book } from '../../src/model/book';
import type { IWorkloadChange } from '../../src/model/book';
import { LogFollower } from '../../src/model/logFollower';
import { Measuring } from '../../src/model/measuring';
import { Workspaces } from '../../src/kernels/workspaces';
import type {
  IConnection,
  IEngineModel,
  IMeasured,
  IRequests,
  IWorkspaces
} from '../../src/tokens';
import type {
  EngineEvent,
  ICatalog,
  IClause,
  IEngineInfo,
  IKernelLease,
  IWorkload,
  IWorkspace
} from '../../src/wire';
import { info, state } from './sample';
import { queueHistory } from './usage';

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
  readonly snoozed: string[] = [];
  readonly deleted: string[] = [];
  readonly restored: string[] = [];
  readonly followers: LogFollower[] = [];
  readonly measurings: Measuring[] = [];
  leases: IKernelLease[] = [];
  workspaces: IWorkspace[] = [];
  catalog: ICatalog = { templates: [], environments: [] };
  clauses: IClause[] = [];
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

  /** Requests that are only remembered; what is asked has no answer until a test gives it one. */
  readonly requests: jest.Mocked<IRequests> = {
    stop: jest.fn(id => this.remembered(this.stopped, id)),
    suspend: jest.fn(id => this.remembered(this.suspended, id)),
    resume: jest.fn(id => this.remembered(this.resumed, id)),
    snooze: jest.fn(id => this.remembered(this.snoozed, id)),
    restore: jest.fn(id => this.remembered(this.restored, id)),
    delete: jest.fn(async id => {
      await this.remembered(this.deleted, id);
    }),
    resize: unanswered<'resize'>(),
    leases: jest.fn(() => Promise.resolve(this.leases)),
    leaseKernel: unanswered<'leaseKernel'>(),
    workspaces: jest.fn(() => Promise.resolve(this.workspaces)),
    createWorkspace: unanswered<'createWorkspace'>(),
    openWorkspace: unanswered<'openWorkspace'>(),
    copyWorkspace: unanswered<'copyWorkspace'>(),
    deleteWorkspace: unanswered<'deleteWorkspace'>(),
    explain: unanswered<'explain'>(),
    specification: unanswered<'specification'>(),
    tasks: unanswered<'tasks'>(),
    logUrl: jest.fn(id => `logs/${id}`),
    usage: unanswered<'usage'>(),
    queueHistory: jest.fn((_, step) => Promise.resolve(queueHistory({ step }))),
    reportUrl: jest.fn((by, _, kind) => `report.${kind}?by=${by}`),
    catalog: jest.fn(() => Promise.resolve(this.catalog)),
    policy: jest.fn((project, kind) =>
      Promise.resolve({ project, kind, clauses: this.clauses })
    ),
    preview: unanswered<'preview'>(),
    submit: unanswered<'submit'>(),
    submissionSchema: unanswered<'submissionSchema'>()
  };

  private remembered(asked: string[], id: string): Promise<IWorkload> {
    asked.push(id);
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

  measure(measured: IMeasured): Measuring {
    const measuring = new Measuring({ measured, release: () => undefined });
    this.measurings.push(measuring);
    return measuring;
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

/** What is known of workspaces by that model. */
export function workspacesOf(model: FakeModel): IWorkspaces {
  return new Workspaces(model);
}

function unanswered<K extends keyof IRequests>(): jest.MockedFunction<
  IRequests[K]
> {
  const never = new Promise<never>(() => undefined);
  return jest.fn(() => never) as unknown as jest.MockedFunction<IRequests[K]>;
}

/** A live model with nothing in it but what is given. */
export function liveModel(
  changes: Parameters<typeof state>[0] = {}
): FakeModel {
  return new FakeModel(state(changes));
}
