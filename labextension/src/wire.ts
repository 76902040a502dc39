/**
 * What the server sends and accepts, by the names that this extension uses.
 * All of it comes from the server's own description of its interface.
 */

import type { components } from './api/schema';

type Schemas = components['schemas'];

/** What kind of work a workload is. */
export type Kind = IWorkload['kind'];

/** Where a workload is in its life. */
export type WorkloadState = IWorkload['state'];

/** How strongly a limit is held. */
export type Strength = IEnforcement['memory'];

/** Why a workload runs, or does not. */
export type VerdictCode = IVerdict['code'];

/** What one task asks for; what is left out has its default. */
export type ITaskRequest = Schemas['TaskRequest'];

/** A workload as it is submitted. */
export type IWorkloadSpec = Schemas['WorkloadSpec'];

/** Another number of tasks. */
export type IScale = Schemas['Scale'];

/** The planner's last word on a workload. */
export type IVerdict = Schemas['Verdict'];

/** What a rule is to do to a workload, or has done. */
export type INotice = Schemas['Notice'];

/** A verdict with its queue's figures and what would let the workload start. */
export type IExplanation = Schemas['Explanation'];

/** One change with which a waiting workload would start. */
export type ISpecChange = Schemas['SpecChange'];

/** How a fraction is held. */
export type IEnforcement = Schemas['Enforcement'];

/** A share of one device. */
export type IHeldDevice = Schemas['HeldDevice'];

/** What a workload holds. */
export type IAllocation = Schemas['Allocation'];

/** A value that a workload left behind. */
export type IResultFile = Schemas['ResultFile'];

/** An exception that ended a workload. */
export type IRaisedError = Schemas['RaisedError'];

/** What a workload's own process said of its end. */
export type IReport = Schemas['Report'];

/** A workload as everyone sees it. */
export type IWorkload = Omit<Schemas['Workload'], 'task_states'> & {
  readonly task_states: Readonly<
    Partial<Record<Schemas['Workload']['state'], number>>
  >;
};

/** One task of a workload. */
export type ITaskStatus = Schemas['TaskStatus'];

/** A workload that asks for something else, now or from its next start on. */
export type IResized = Schemas['Resized'];

/** A kernel and the workload that it is. */
export type IKernelLease = Schemas['KernelLease'];

/** A kernel on a share of a device, as it is asked for. */
export type ILeasedKernel = Schemas['LeasedKernel'];

/** A kernelspec, and what people see of it. */
export type IKernelSpecName = Schemas['KernelSpecName'];

/** A kernel with a name that goes on when its notebook is closed; its workload is null where it has none. */
export type IWorkspace = Schemas['Workspace'];

/** A workspace, as it is asked for. */
export type INewWorkspace = Schemas['NewWorkspace'];

/** Another workspace; what is left out is as it was. */
export type IWorkspaceCopy = Schemas['Share'];

/** The templates and environments that an engine offers. */
export type ICatalog = Schemas['Catalog'];

/** A part of a submission that has a name. */
export type ITemplate = Schemas['Template'];

/** On what conditions a kernel has its devices: its priority, and its longest time. */
export type IConditions = Partial<
  Record<'priority', IPriorityName> & Record<'max_time_s', number>
>;

/** A priority by its name. */
export type IPriorityName = NonNullable<INewWorkspace['priority']>;

/** What work can run in: an interpreter, variables and a folder. */
export type IEnvironment = Schemas['Environment'];

/** What holds for a kind of work in a project, and who says so. */
export type IPolicyClauses = Schemas['PolicyClauses'];

/** One thing that a policy says. */
export type IClause = Schemas['Clause'];

/** What a workload used in one step of time. */
export type IMeasurement = Schemas['Measurement'];

/** In which steps of time. */
export type IMeasurementStep = IMeasurementsMessage['step'];

/** Who used what: sums, in all or by steps. */
export type IUsage = Schemas['Usage'];

/** What queues deserved, got and held, and why work waited in them. */
export type IQueueHistory = Schemas['QueueHistory'];

/** One queue in one step. */
export type IQueueStep = Schemas['QueueStep'];

/** What one group used in one step. */
export type IUsageRow = Schemas['UsageRow'];

/** Who holds a share of a device. */
export type IHolder = Schemas['Holder'];

/** One device; `utilization` is 0 to 1, null where nothing measures it. */
export type IDevice = Schemas['Device'];

/** A queue's devices; null is unlimited. */
export type IQueueStatus = Schemas['QueueStatus'];

/** Which engine answers, for whom, and with which devices. */
export type IEngineInfo = Schemas['EngineInfo'];

/** What went wrong, in a sentence, and what to do about it. */
export type IProblem = Schemas['ErrorRecord'];

/** Everything at once. */
export type IEngineStateEvent = Schemas['EngineState'];

/** A workload as it is now. */
export type IWorkloadEvent = Schemas['WorkloadChanged'];

/** A workload that is gone for good. */
export type IDeletedEvent = Schemas['WorkloadDeleted'];

/** All devices as they are now. */
export type IDevicesEvent = Schemas['DevicesChanged'];

/** All queues as they are now. */
export type IQueuesEvent = Schemas['QueuesChanged'];

/** Nothing happened; carries the number of the last event. */
export type IHeartbeatEvent = Schemas['Heartbeat'];

/** One numbered event of an engine run. */
export type EngineEvent =
  | IEngineStateEvent
  | IWorkloadEvent
  | IDeletedEvent
  | IDevicesEvent
  | IQueuesEvent
  | IHeartbeatEvent;

/** Why what is told of its topic ends; the events' end is the stream's. */
export type IErrorMessage = Schemas['StreamError'];

/** A piece of a workload's log, the bytes from `offset` up to `next`. */
export type ILogMessage = Schemas['LogChunk'];

/** A workload has ended and all of its log was sent. */
export type ILogEndMessage = Schemas['LogEnd'];

/** What a workload used, the newest steps of it. */
export type IMeasurementsMessage = Schemas['Measurements'];

/** Everything the stream may bring. */
export type ServerMessage = Schemas['ServerMessage'];

/** What a client may send on the stream. */
export type ClientMessage = Schemas['ClientMessage'];
