import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { components, paths } from './schema';

type Problem = components['schemas']['ErrorRecord'];
type Method = 'get' | 'post' | 'delete';

type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P] extends Readonly<Record<M, object>> ? P : never;
}[keyof paths];

type Operation<M extends Method, P extends PathOf<M>> = paths[P][M];

type Answer<O> = O extends {
  readonly responses: infer R;
}
  ? R[keyof R & (200 | 201)] extends {
      readonly content: { readonly 'application/json': infer T };
    }
    ? T
    : undefined
  : never;

type Asked<O> = (O extends { readonly parameters: { readonly path: infer P } }
  ? { readonly path: P }
  : { readonly path?: never }) &
  (O extends { readonly parameters: { readonly query?: infer Q } }
    ? { readonly query?: Q }
    : object) &
  (O extends {
    readonly requestBody: {
      readonly content: { readonly 'application/json': infer B };
    };
  }
    ? { readonly body: B }
    : { readonly body?: never });

/** A request that the server refused, or that never reached it. */
export class EngineError extends Error implements Problem {
  constructor(problem: Problem) {
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

/** Requests of the server extension, typed by its own description of its interface. */
export class ApiClient {
  constructor(options: ApiClient.IOptions) {
    this._serverSettings = options.serverSettings;
  }

  /** Where an answer comes from; for links, which bring no token along. */
  url(path: string, query?: object): string {
    const base = URLExt.join(this._serverSettings.baseUrl, 'jupyter-runai');
    return `${base}${path}${Private.search(query)}`;
  }

  /** Ask, and get the answer or an EngineError. */
  async call<M extends Method, P extends PathOf<M>>(
    method: M,
    path: P,
    asked: Asked<Operation<M, P>>
  ): Promise<Answer<Operation<M, P>>> {
    const { path: places, query, body } = asked as Private.IAsked;
    const response = await this._request(
      this.url(Private.filledIn(path, places), query),
      {
        method: method.toUpperCase(),
        ...(method === 'post' ? { body: JSON.stringify(body ?? {}) } : {})
      }
    );
    const answer: unknown = await response.json().catch(() => undefined);
    if (!response.ok) {
      throw new EngineError(Private.problem(answer, response));
    }
    return answer as Answer<Operation<M, P>>;
  }

  private async _request(url: string, init: RequestInit): Promise<Response> {
    try {
      return await ServerConnection.makeRequest(
        url,
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

/** A namespace for ApiClient's options. */
export namespace ApiClient {
  /** What the requests need. */
  export interface IOptions {
    /** Where the server is and how to speak to it. */
    serverSettings: ServerConnection.ISettings;
  }
}

namespace Private {
  /** What any operation may be asked with. */
  export interface IAsked {
    readonly path?: Readonly<Record<string, string>>;
    readonly query?: object;
    readonly body?: unknown;
  }

  /** The path with its parameters in their places. */
  export function filledIn(
    path: string,
    places: Readonly<Record<string, string>> = {}
  ): string {
    return path.replace(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(places[name] ?? '')
    );
  }

  /** The query of a URL with its question mark, or nothing. */
  export function search(query: object = {}): string {
    const text = new URLSearchParams(
      Object.entries(query)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, String(value)])
    ).toString();
    return text && `?${text}`;
  }

  /** The server's own words for what is wrong, or the bare status where a proxy answered. */
  export function problem(answer: unknown, response: Response): Problem {
    const said = (answer ?? {}) as Partial<Problem>;
    return {
      code: said.code ?? String(response.status),
      message: said.message ?? `${response.status} ${response.statusText}`,
      hint: said.hint ?? ''
    };
  }
}
