import type {
  IDevice,
  IEngineInfo,
  IEngineStateEvent,
  IHolder,
  IMeasurement,
  INotice,
  IQueueStatus,
  IVerdict,
  IWorkload
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
    ...changes
  };
}
