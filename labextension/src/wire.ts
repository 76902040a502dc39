/**
 * What the server sends and accepts: the JSON of the engine's own vocabulary.
 * Times are seconds since the epoch; portions are thousandths of a device.
 */

/** What kind of work a workload is. */
export type Kind = 'workspace' | 'training' | 'interactive' | 'inference';

/** Where a workload is in its life. */
export type WorkloadState =
  | 'creating'
  | 'pending'
  | 'initializing'
  | 'running'
  | 'suspending'
  | 'suspended'
  | 'resuming'
  | 'degraded'
  | 'completed'
  | 'failed'
  | 'stopped'
  | 'deleting';

/** How strongly a limit is held. */
export type Strength = 'hard' | 'soft' | 'none';

/** Why a workload runs, or does not. */
export type VerdictCode =
  | 'placed'
  | 'waiting_release'
  | 'waiting_turn'
  | 'over_limit'
  | 'non_preemptible_over_quota'
  | 'over_fair_share'
  | 'no_node_fits'
  | 'fragmented'
  | 'gang_incomplete'
  | 'gang_does_not_fit'
  | 'topology_does_not_fit'
  | 'victims_protected'
  | 'never_fits'
  | 'queue_not_found'
  | 'gated'
  | 'search_gave_up';

/** What one task asks for; what is left out has its default. */
export interface ITaskRequest {
  readonly cpu_milli?: number;
  readonly memory_mib?: number;
  /** Whole devices as a number, a share of one device as text or a number below 1. */
  readonly gpu?: number | string;
  readonly gpu_memory_mib?: number;
  readonly gpu_devices?: number;
  /** Up to what a share may use of what is free of its device, in the form of the request. */
  readonly gpu_limit?: number | string;
  readonly gpu_memory_limit_mib?: number;
  readonly mig?: Readonly<Record<string, number>>;
  readonly models?: readonly string[] | null;
}

/** The planner's last word on a workload. */
export interface IVerdict {
  readonly workload: string;
  readonly state: 'placed' | 'partly_placed' | 'nominated' | 'pending';
  readonly code: VerdictCode;
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly position: number | null;
  readonly queue_position: number | null;
  readonly ahead: readonly string[];
}

/** How a fraction is held. */
export interface IEnforcement {
  readonly level: 'device' | 'mig' | 'mps-v3' | 'mps-v2' | 'framework' | 'none';
  readonly memory: Strength;
  readonly compute: Strength;
}

/** A share of one device. */
export interface IHeldDevice {
  readonly id: string;
  readonly index: number;
  readonly model: string;
  readonly portion_milli: number;
  readonly memory_mib: number;
  /** Up to what it may use of the device; null where that is its share. */
  readonly limit_milli: number | null;
  readonly limit_mib: number | null;
}

/** What a workload holds. */
export interface IAllocation {
  readonly node: string;
  readonly devices: readonly IHeldDevice[];
  readonly enforcement: IEnforcement;
}

/** A value that a workload left behind. */
export interface IResultFile {
  readonly name: string;
  readonly type: string;
  readonly size: number;
}

/** An exception that ended a workload. */
export interface IRaisedError {
  readonly type: string;
  readonly message: string;
  readonly traceback: string;
}

/** What a workload's own process said of its end. */
export interface IReport {
  readonly results: readonly IResultFile[];
  readonly error: IRaisedError | null;
}

/** Another number of tasks. */
export interface IScale {
  readonly tasks: number;
  readonly min_tasks?: number | null;
}

/** A workload as everyone sees it. */
export interface IWorkload {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly kind: Kind;
  readonly queue: string;
  readonly priority: number;
  readonly preemptible: boolean;
  readonly state: WorkloadState;
  readonly request: ITaskRequest;
  readonly created: number;
  readonly simulated: boolean;
  readonly started: number | null;
  readonly ended: number | null;
  readonly stop_requested: number | null;
  readonly allocation: IAllocation | null;
  readonly verdict: IVerdict | null;
  readonly exit_code: number | null;
  readonly reason: string;
  readonly report: IReport | null;
  readonly tasks: number;
  readonly min_tasks: number;
  readonly gang: boolean;
  readonly restarts: number;
  readonly next_request: ITaskRequest | null;
  readonly next_scale: IScale | null;
  readonly task_states: Readonly<Partial<Record<WorkloadState, number>>>;
}

/** Who holds a share of a device. */
export interface IHolder {
  readonly kind: 'workload' | 'other_engine' | 'foreign';
  readonly owner: string;
  readonly name: string;
  readonly portion_milli: number;
  readonly memory_mib: number;
  readonly workload: string | null;
}

/** One device; `utilization` is 0 to 1, null where nothing measures it. */
export interface IDevice {
  readonly id: string;
  readonly index: number;
  readonly node: string;
  readonly model: string;
  readonly memory_mib: number;
  readonly ready: boolean;
  readonly simulated: boolean;
  readonly holders: readonly IHolder[];
  readonly used_mib: number | null;
  readonly utilization: number | null;
}

/** A queue's devices; null is unlimited. */
export interface IQueueStatus {
  readonly name: string;
  readonly parent: string | null;
  readonly quota: number | null;
  readonly limit: number | null;
  readonly fair_share: number | null;
  readonly allocated: number;
  readonly requested: number;
}

/** Which engine answers, for whom, and with which devices. */
export interface IEngineInfo {
  readonly kind: string;
  readonly protocol: number;
  readonly version: string;
  readonly host: string;
  readonly user: string;
  readonly pid: number;
  readonly simulated: string | null;
  readonly notice: string;
  readonly survives: readonly string[];
}

/** What went wrong, in a sentence, and what to do about it. */
export interface IProblem {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

interface INumbered {
  readonly epoch: string;
  readonly seq: number;
}

/** Everything at once. */
export interface IEngineStateEvent extends INumbered {
  readonly type: 'state';
  readonly info: IEngineInfo;
  readonly devices: readonly IDevice[];
  readonly queues: readonly IQueueStatus[];
  readonly workloads: readonly IWorkload[];
}

/** A workload as it is now. */
export interface IWorkloadEvent extends INumbered {
  readonly type: 'workload';
  readonly workload: IWorkload;
}

/** A workload that is gone for good. */
export interface IDeletedEvent extends INumbered {
  readonly type: 'deleted';
  readonly id: string;
}

/** All devices as they are now. */
export interface IDevicesEvent extends INumbered {
  readonly type: 'devices';
  readonly devices: readonly IDevice[];
}

/** All queues as they are now. */
export interface IQueuesEvent extends INumbered {
  readonly type: 'queues';
  readonly queues: readonly IQueueStatus[];
}

/** Nothing happened; carries the number of the last event. */
export interface IHeartbeatEvent extends INumbered {
  readonly type: 'heartbeat';
}

/** One numbered event of an engine run. */
export type EngineEvent =
  | IEngineStateEvent
  | IWorkloadEvent
  | IDeletedEvent
  | IDevicesEvent
  | IQueuesEvent
  | IHeartbeatEvent;

/**
 * Without a workload: the engine cannot be reached, and the server closes.
 * With one: its log cannot be read.
 */
export interface IErrorMessage extends IProblem {
  readonly type: 'error';
  readonly workload?: string | null;
}

/** A piece of a workload's log, the bytes from `offset` up to `next`. */
export interface ILogMessage {
  readonly type: 'log';
  readonly workload: string;
  readonly offset: number;
  readonly next: number;
  readonly text: string;
}

/** A workload has ended and all of its log was sent. */
export interface ILogEndMessage {
  readonly type: 'log_end';
  readonly workload: string;
}

/** Everything the stream may bring. */
export type ServerMessage =
  EngineEvent | IErrorMessage | ILogMessage | ILogEndMessage;

/** What a client may send on the stream. */
export type ClientMessage =
  | {
      readonly type: 'follow';
      readonly workload: string;
      readonly offset: number;
    }
  | { readonly type: 'unfollow'; readonly workload: string };
