import { ApiClient, EngineError } from '../api/client';
import type {
  ICatalog,
  IEngineInfo,
  IExplanation,
  IKernelLease,
  IKernelSpecName,
  ILeasedKernel,
  IPolicyClauses,
  IProblem,
  IQueueHistory,
  IResized,
  IScale,
  ITaskRequest,
  ITaskStatus,
  IUsage,
  IVerdict,
  IWorkload,
  IWorkloadSpec,
  Kind,
  INewWorkspace,
  IWorkspace,
  IWorkspaceCopy
} from '../wire';

export { EngineError };

/** What the server calls it when it does not know who asks. */
export const NOT_LOGGED_IN = 'not_logged_in';

/** The requests of the server extension. */
export class EngineApi {
  constructor(options: EngineApi.IOptions) {
    this._client = new ApiClient(options);
  }

  /** What would become of a submission now; nothing is submitted. */
  preview(spec: IWorkloadSpec): Promise<IVerdict> {
    return this._client.call('post', '/preview', { body: spec });
  }

  /** Submit a workload; the server's own environment lies under the given one. */
  submit(spec: IWorkloadSpec): Promise<IWorkload> {
    return this._client.call('post', '/workloads', { body: spec });
  }

  /** The JSON schema of a submission. */
  submissionSchema(): Promise<object> {
    return this._client.call('get', '/submission-schema.json', {});
  }

  /** The templates and environments that there are. */
  catalog(): Promise<ICatalog> {
    return this._client.call('get', '/catalog', {});
  }

  /** What holds for a kind of work in a project, and who says so. */
  policy(project: string, kind: Kind): Promise<IPolicyClauses> {
    return this._client.call('get', '/policy', { query: { project, kind } });
  }

  /** The workloads that are deleted and can be had back. */
  async deleted(): Promise<readonly IWorkload[]> {
    const query = { deleted: true };
    return (await this._client.call('get', '/workloads', { query })).workloads;
  }

  /** End a workload for good. */
  stop(id: string): Promise<IWorkload> {
    return this._client.call('post', '/workloads/{workload_id}/stop', of(id));
  }

  /** Free what a workload holds and keep it. */
  suspend(id: string): Promise<IWorkload> {
    const path = '/workloads/{workload_id}/suspend';
    return this._client.call('post', path, of(id));
  }

  /** Let a suspended workload wait again. */
  resume(id: string): Promise<IWorkload> {
    return this._client.call('post', '/workloads/{workload_id}/resume', of(id));
  }

  /** Let an idle workload be idle for longer. */
  snooze(id: string): Promise<IWorkload> {
    return this._client.call('post', '/workloads/{workload_id}/snooze', of(id));
  }

  /** Change what each task asks for. */
  resize(id: string, body: ITaskRequest): Promise<IResized> {
    const path = '/workloads/{workload_id}/resize';
    return this._client.call('post', path, { ...of(id), body });
  }

  /** Change how many tasks a workload has. */
  scale(id: string, body: IScale): Promise<IResized> {
    const path = '/workloads/{workload_id}/scale';
    return this._client.call('post', path, { ...of(id), body });
  }

  /** Delete an ended workload; unless purged, it can be had back for a while. */
  async delete(id: string, purge = false): Promise<void> {
    const query = { purge };
    const path = '/workloads/{workload_id}';
    await this._client.call('delete', path, { ...of(id), query });
  }

  /** Bring a deleted workload back. */
  restore(id: string): Promise<IWorkload> {
    const path = '/workloads/{workload_id}/restore';
    return this._client.call('post', path, of(id));
  }

  /** Why a workload is where it is, with what would let it start. */
  explain(id: string): Promise<IExplanation> {
    const query = { remedies: true };
    const path = '/workloads/{workload_id}/explain';
    return this._client.call('get', path, { ...of(id), query });
  }

  /** What was submitted, as it was changed since. */
  specification(id: string): Promise<IWorkloadSpec> {
    const path = '/workloads/{workload_id}/specification';
    return this._client.call('get', path, of(id));
  }

  /** Each task of a workload. */
  async tasks(id: string): Promise<readonly ITaskStatus[]> {
    const path = '/workloads/{workload_id}/tasks';
    return (await this._client.call('get', path, of(id))).tasks;
  }

  /** Who used what in [since, until), in seconds since the epoch; until null up to now. Beyond `most` groups the others are one. */
  usage(
    by: IUsage['by'],
    { since, until }: { since: number; until: number | null },
    step: IUsage['step'],
    most?: number
  ): Promise<IUsage> {
    const query = {
      by,
      since,
      ...(until !== null && { until }),
      step,
      ...(most !== undefined && { most })
    };
    return this._client.call('get', '/usage', { query });
  }

  /** What queues deserved, got and held in a time, and why work waited in them. */
  queueHistory(
    { since, until }: { since: number; until: number | null },
    step: IQueueHistory['step']
  ): Promise<IQueueHistory> {
    const query = { since, ...(until !== null && { until }), step };
    return this._client.call('get', '/queues/history', { query });
  }

  /** Where a report on the same can be downloaded. */
  reportUrl(
    by: IUsage['by'],
    { since, until }: { since: number; until: number | null },
    kind: 'csv' | 'html'
  ): string {
    const query = { by, since, ...(until !== null && { until }) };
    return this._client.url(`/report.${kind}`, query);
  }

  /** Where a task's whole log can be downloaded. */
  logUrl(id: string, task = 0): string {
    const path = `/workloads/${encodeURIComponent(id)}/logs`;
    return this._client.url(path, { task, download: true });
  }

  /** Which workload each kernel of the server is. */
  async leases(): Promise<readonly IKernelLease[]> {
    return (await this._client.call('get', '/leases', {})).leases;
  }

  /** Why the server refuses every request; null where it does not, or is not there. */
  async refusal(): Promise<IProblem | null> {
    try {
      // Of all requests this one asks the engine nothing.
      await this.leases();
    } catch (error) {
      if (error instanceof EngineError && error.code === NOT_LOGGED_IN) {
        return error;
      }
    }
    return null;
  }

  /** Offer a kernel on a share of a device; the kernelspec to start. */
  leaseKernel(body: ILeasedKernel): Promise<IKernelSpecName> {
    return this._client.call('post', '/kernelspecs', { body });
  }

  /** All workspaces, by their names. */
  async workspaces(): Promise<readonly IWorkspace[]> {
    return (await this._client.call('get', '/workspaces', {})).workspaces;
  }

  /** Make a workspace; it runs, or waits for its device. */
  createWorkspace(body: INewWorkspace): Promise<IWorkspace> {
    return this._client.call('post', '/workspaces', { body });
  }

  /** Start a workspace where it does not run. */
  openWorkspace(name: string): Promise<IWorkspace> {
    const path = '/workspaces/{name}/open';
    return this._client.call('post', path, { path: { name } });
  }

  /** Make another workspace like one that there is, but for what is given. */
  copyWorkspace(name: string, body: IWorkspaceCopy): Promise<IWorkspace> {
    const path = '/workspaces/{name}/copy';
    return this._client.call('post', path, { path: { name }, body });
  }

  /** End a workspace, and offer it no longer. */
  async deleteWorkspace(name: string): Promise<void> {
    const path = '/workspaces/{name}';
    await this._client.call('delete', path, { path: { name } });
  }

  /** Change to simulated devices, or with null to the machine's own. */
  simulate(devices: string | null): Promise<IEngineInfo> {
    return this._client.call('post', '/simulate', { body: { devices } });
  }

  private readonly _client: ApiClient;
}

/** A namespace for EngineApi's options. */
export namespace EngineApi {
  /** What the requests need. */
  export type IOptions = ApiClient.IOptions;
}

function of(id: string): { readonly path: { readonly workload_id: string } } {
  return { path: { workload_id: id } };
}
