import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { IEngineInfo, IProblem, IWorkload } from '../wire';

/** A request that the server refused, or that never reached it. */
export class EngineError extends Error implements IProblem {
  constructor(problem: IProblem) {
    super(problem.message);
    this.name = 'EngineError';
    this.code = problem.code;
    this.hint = problem.hint;
  }

  /** The engine's own name for what is wrong. */
  readonly code: string;

  /** What to do about it; may be empty. */
  readonly hint: string;
}

/** The requests of the server extension. */
export class EngineApi {
  constructor(options: EngineApi.IOptions) {
    this._serverSettings = options.serverSettings;
  }

  /** End a workload for good. */
  stop(id: string): Promise<IWorkload> {
    return this._post(['workloads', encodeURIComponent(id), 'stop']);
  }

  /** Free what a workload holds and keep it. */
  suspend(id: string): Promise<IWorkload> {
    return this._post(['workloads', encodeURIComponent(id), 'suspend']);
  }

  /** Let a suspended workload wait again. */
  resume(id: string): Promise<IWorkload> {
    return this._post(['workloads', encodeURIComponent(id), 'resume']);
  }

  /** Delete an ended workload; it can be had back for a while. */
  async delete(id: string): Promise<void> {
    await this._ask(['workloads', encodeURIComponent(id)], {
      method: 'DELETE'
    });
  }

  /** Bring a deleted workload back. */
  restore(id: string): Promise<IWorkload> {
    return this._post(['workloads', encodeURIComponent(id), 'restore']);
  }

  /** Change to simulated devices, or with null to the machine's own. */
  simulate(devices: string | null): Promise<IEngineInfo> {
    return this._post(['simulate'], { devices });
  }

  private async _post<T>(path: string[], body?: object): Promise<T> {
    const answer = await this._ask(path, {
      method: 'POST',
      body: JSON.stringify(body ?? {})
    });
    return answer as T;
  }

  private async _ask(path: string[], init: RequestInit): Promise<unknown> {
    const response = await this._request(path, init);
    const answer: unknown = await response.json().catch(() => null);
    if (!response.ok) {
      throw new EngineError(Private.problem(answer, response));
    }
    return answer;
  }

  private async _request(path: string[], init: RequestInit): Promise<Response> {
    const { baseUrl } = this._serverSettings;
    try {
      return await ServerConnection.makeRequest(
        URLExt.join(baseUrl, 'jupyter-runai', ...path),
        init,
        this._serverSettings
      );
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new EngineError({ code: 'unreachable', message, hint: '' });
    }
  }

  private readonly _serverSettings: ServerConnection.ISettings;
}

/** A namespace for EngineApi's options. */
export namespace EngineApi {
  /** What the requests need. */
  export interface IOptions {
    /** Where the server is and how to speak to it. */
    serverSettings: ServerConnection.ISettings;
  }
}

namespace Private {
  /** The server's own words for what is wrong, or the bare status where a proxy answered. */
  export function problem(answer: unknown, response: Response): IProblem {
    const said = (answer ?? {}) as Partial<IProblem>;
    return {
      code: said.code ?? String(response.status),
      message: said.message ?? `${response.status} ${response.statusText}`,
      hint: said.hint ?? ''
    };
  }
}
