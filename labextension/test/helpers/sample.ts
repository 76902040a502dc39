import type {
  IAllocation,
  IClause,
  IDevice,
  IEngineInfo,
  IEngineStateEvent,
  IEnvironment,
  IHolder,
  IMeasurement,
  INotice,
  IQueueStatus,
  ITemplate,
  IVerdict,
  IWorkload,
  VerdictCode,
  WorkloadState
} from '../../src/wire';

/** The user of all samples. */
export const ME = 'me';

export function workload(changes: Partial<IWorkload> = {}): IWorkload {
  return {
    id: 'w1',
    name: 'digits-1',
    owner: ME,
    kind: 'training',
    queue: 'default',
    priority: 40,
    preemptible: true,
    state: 'running',
    request: { gpu: '0.5' },
    created: 1000,
    simulated: false,
    deleted: null,
    restored: null,
    delete_after_s: null,
    owner_uid: null,
    started: 1010,
    ended: null,
    stop_requested: null,
    allocation: null,
    verdict: null,
    exit_code: null,
    reason: '',
    report: null,
    tasks: 1,
    min_tasks: 1,
    gang: true,
    task_states: {},
    restarts: 0,
    next_request: null,
    next_scale: null,
    activity: null,
    notice: null,
    origin: null,
    ...changes
  };
}

/** What a rule says of an idle workload. */
export function warning(changes: Partial<INotice> = {}): INotice {
  return {
    rule: 'idle',
    message: 'idle for 30 min: its device is released in 30 min',
    at: 2800,
    since: 1000,
    action: 'release',
    stage: 1,
    acts_at: 4600,
    snoozed: null,
    ...changes
  };
}

export function verdict(changes: Partial<IVerdict> = {}): IVerdict {
  return {
    workload: 'w1',
    state: 'pending',
    code: 'fragmented',
    message: 'No device has half free.',
    facts: {},
    position: 3,
    queue_position: 3,
    ahead: [],
    ...changes
  };
}

export function holder(changes: Partial<IHolder> = {}): IHolder {
  return {
    kind: 'workload',
    owner: ME,
    name: 'digits-1',
    portion_milli: 500,
    memory_mib: 40960,
    workload: 'w1',
    ...changes
  };
}

export function device(changes: Partial<IDevice> = {}): IDevice {
  return {
    id: 'GPU-0',
    index: 0,
    node: 'here',
    model: 'NVIDIA A100-SXM4-80GB',
    memory_mib: 81920,
    ready: true,
    simulated: false,
    holders: [],
    used_mib: null,
    utilization: null,
    ...changes
  };
}

export function queue(changes: Partial<IQueueStatus> = {}): IQueueStatus {
  return {
    name: 'default',
    parent: null,
    quota: null,
    limit: null,
    fair_share: null,
    allocated: 0,
    requested: 0,
    past_use: null,
    ...changes
  };
}

/** A second of a workload without devices. */
export function measurement(changes: Partial<IMeasurement> = {}): IMeasurement {
  return {
    at: 1020,
    seconds: 1,
    gpu_utilization: null,
    gpu_memory_mib: null,
    gpu_memory_peak_mib: null,
    cpu_cores: 0.5,
    memory_mib: 100,
    memory_peak_mib: 120,
    ...changes
  };
}

export function info(changes: Partial<IEngineInfo> = {}): IEngineInfo {
  return {
    kind: 'local',
    shared: false,
    protocol: 1,
    version: '0.1.0',
    host: 'here',
    user: ME,
    pid: 1,
    simulated: null,
    notice: '',
    survives: [],
    roles: {},
    administers: false,
    ...changes
  };
}

export function state(
  changes: Partial<IEngineStateEvent> = {}
): IEngineStateEvent {
  return {
    type: 'state',
    epoch: 'a',
    seq: 0,
    info: info(),
    devices: [],
    queues: [],
    workloads: [],
    planner: null,
    ...changes
  };
}

/** A sign that the engine is there, and that it has told all up to `seq`. */
export function heartbeat(seq: number) {
  return { type: 'heartbeat', epoch: 'a', seq, planner: null } as const;
}

/** All states of a workload, in the order of its life. */
export const STATES: readonly WorkloadState[] = [
  'creating',
  'pending',
  'resuming',
  'initializing',
  'running',
  'degraded',
  'suspending',
  'suspended',
  'completed',
  'failed',
  'stopped',
  'deleting'
];

/** All words that the planner has for a workload. */
export const CODES: readonly VerdictCode[] = [
  'placed',
  'waiting_release',
  'waiting_turn',
  'over_limit',
  'non_preemptible_over_quota',
  'over_fair_share',
  'no_node_fits',
  'fragmented',
  'gang_incomplete',
  'gang_does_not_fit',
  'topology_does_not_fit',
  'victims_protected',
  'never_fits',
  'queue_not_found',
  'gated',
  'search_gave_up'
];

/** Half of a device, held by a cap in the framework. */
export function allocation(changes: Partial<IAllocation> = {}): IAllocation {
  return {
    node: 'here',
    devices: [
      {
        id: 'GPU-1',
        index: 1,
        model: 'NVIDIA A100-SXM4-80GB',
        portion_milli: 500,
        memory_mib: 40960,
        limit_milli: null,
        limit_mib: null
      }
    ],
    enforcement: { level: 'framework', memory: 'hard', compute: 'soft' },
    ...changes
  };
}

/** A template that says nothing but what is given. */
export function template(changes: Partial<ITemplate> = {}): ITemplate {
  return {
    name: 'quick',
    kind: null,
    project: null,
    gpu: null,
    gpu_memory: null,
    workers: null,
    retries: null,
    max_time: null,
    priority: null,
    environment: null,
    ...changes
  };
}

/** An environment that changes nothing but what is given. */
export function environment(changes: Partial<IEnvironment> = {}): IEnvironment {
  return {
    name: 'torch',
    python: null,
    packages: [],
    variables: {},
    folder: null,
    image: null,
    mounts: [],
    ...changes
  };
}

/** What a policy says: at most half a device. */
export function clause(changes: Partial<IClause> = {}): IClause {
  return {
    field: 'gpu',
    rule: 'max',
    value: '0.5',
    source: 'project vision',
    line: 3,
    sentence: 'gpu: at most 0.5, says project vision',
    ...changes
  };
}

/** What a kernel does: nothing, since then. */
export function activity(
  changes: Partial<NonNullable<IWorkload['activity']>> = {}
): NonNullable<IWorkload['activity']> {
  return {
    executing: false,
    since: 1000,
    idle_since: 1010,
    kept_until: null,
    ...changes
  };
}
