import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

import type { EngineApi } from './model/api';
import type { IWorkloadChange } from './model/book';
import type { LogText } from './model/logText';
import type {
  IDevice,
  IEngineInfo,
  IMeasurement,
  IMeasurementStep,
  IProblem,
  IQueueStatus,
  IWorkload,
  IWorkspace
} from './wire';

/** Whether what the model knows is fresh. */
export interface IConnection {
  /** `starting` until something was heard, `live` while events arrive, else `lost`. */
  readonly phase: 'starting' | 'live' | 'lost';

  /** When the engine was last heard, in milliseconds since the epoch; null for never. */
  readonly heard: number | null;

  /** Why there is no engine, where the server said so. */
  readonly problem: IProblem | null;
}

/** One workload's log as it grows; dispose it when nobody looks any more. */
export interface ILogFollower extends IDisposable {
  /** What was written so far. */
  readonly text: LogText;

  /** Whether nothing more is to come: all of it is here, or there is a problem. */
  readonly isComplete: boolean;

  /** Why the log cannot be read; null while it can. */
  readonly problem: IProblem | null;

  /** Emitted when there is more text, or no more to come. */
  readonly changed: ISignal<ILogFollower, void>;
}

/** Whose use is looked at, and how. */
export interface IMeasured {
  /** The id of the workload. */
  readonly workload: string;
  readonly step: IMeasurementStep;

  /** From when on, in seconds since the epoch. */
  readonly since: number;

  /** What is known of it already, oldest first. */
  readonly known?: readonly IMeasurement[];
}

/** What one workload uses, as it is measured; dispose it when nobody looks any more. */
export interface IMeasuring extends IDisposable {
  /** What was measured, oldest first; null until something was heard. */
  readonly measurements: readonly IMeasurement[] | null;

  /** Why nothing more is measured; null while it is. */
  readonly problem: IProblem | null;

  /** Emitted when any of the above has changed. */
  readonly changed: ISignal<IMeasuring, void>;
}

/** The requests beside the stream. */
export type IRequests = Pick<
  EngineApi,
  | 'stop'
  | 'suspend'
  | 'resume'
  | 'snooze'
  | 'delete'
  | 'restore'
  | 'resize'
  | 'leases'
  | 'leaseKernel'
  | 'workspaces'
  | 'createWorkspace'
  | 'openWorkspace'
  | 'copyWorkspace'
  | 'deleteWorkspace'
  | 'explain'
  | 'specification'
  | 'tasks'
  | 'logUrl'
  | 'usage'
  | 'queueHistory'
  | 'reportUrl'
  | 'catalog'
  | 'policy'
  | 'preview'
  | 'submit'
  | 'submissionSchema'
>;

/** What the engine knows, kept up to date, and what it can be asked to do. */
export interface IEngineModel extends IDisposable {
  /** Whether the rest is fresh. */
  readonly connection: IConnection;

  /** Which engine answers; null until it did. */
  readonly info: IEngineInfo | null;

  /** All devices. */
  readonly devices: readonly IDevice[];

  /** All queues. */
  readonly queues: readonly IQueueStatus[];

  /** All workloads that the user may see; the array is a new one after each change. */
  readonly workloads: readonly IWorkload[];

  /** Emitted when any of the above has changed. */
  readonly changed: ISignal<IEngineModel, void>;

  /** Emitted for each workload that came, went or changed. */
  readonly workloadChanged: ISignal<IEngineModel, IWorkloadChange>;

  /** The workload of that id, if it is known. */
  workload(id: string): IWorkload | undefined;

  /** Whether a workload is the user's own. */
  isMine(workload: IWorkload): boolean;

  /** What can be asked of the engine and done to workloads; each rejects with an EngineError. */
  readonly requests: IRequests;

  /** Change to simulated devices, or with null to the machine's own. Rejects with an EngineError. */
  simulate(devices: string | null): Promise<IEngineInfo>;

  /** Follow a workload's log: all of it, or its end where it is long. */
  followLog(id: string): ILogFollower;

  /** Look at what a workload uses, as it is measured. */
  measure(measured: IMeasured): IMeasuring;
}

/** The token of the one engine model. */
export const IEngineModel = new Token<IEngineModel>(
  'jupyter-runai:IEngineModel',
  'What the GPU engine knows (devices, queues, workloads), kept up to date, and what it can be asked to do.'
);

/** The workspaces of the server, asked for anew when one of them may have changed. */
export interface IWorkspaces {
  /** Those known, by their names. */
  readonly all: readonly IWorkspace[];

  /** Emitted when the above may have changed. */
  readonly changed: ISignal<unknown, void>;

  /** The workload that a workspace is now; null where it has none. */
  workloadOf(workspace: IWorkspace): IWorkload | null;

  /** Ask the server. */
  refresh(): Promise<void>;
}

/** The token of the workspaces. */
export const IWorkspaces = new Token<IWorkspaces>(
  'jupyter-runai:IWorkspaces',
  'Kernels with a name that go on when their notebook is closed.'
);
