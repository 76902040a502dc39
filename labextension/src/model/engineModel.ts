import type { ServerConnection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type {
  IConnection,
  IEngineModel,
  ILogFollower,
  IMeasured,
  IMeasuring,
  IRequests
} from '../tokens';
import type {
  ClientMessage,
  EngineEvent,
  IDevice,
  IEngineInfo,
  IErrorMessage,
  IProblem,
  IQueueStatus,
  IWorkload,
  ServerMessage
} from '../wire';
import { EngineApi } from './api';
import { Book } from './book';
import type { IWorkloadChange } from './book';
import { Logs } from './logs';
import { Measurings } from './measurings';
import { EngineStream } from './stream';

/** The one store: a book kept by the stream, and the requests beside it. */
export class EngineModel implements IEngineModel {
  constructor(options: EngineModel.IOptions) {
    const { serverSettings } = options;
    this._api = new EngineApi({ serverSettings });
    this._stream = new EngineStream({
      serverSettings,
      since: () => this._book.position
    });
    const send = (message: ClientMessage): void => {
      this._stream.send(message);
    };
    this._logs = new Logs({ send });
    this._measurings = new Measurings({ send });
    this._stream.received.connect(this._onReceived, this);
    this._stream.opened.connect(this._onOpened, this);
    this._stream.closed.connect(this._onClosed, this);
    this._stream.refused.connect(() => void this._onRefused());
  }

  /** Whether the rest is fresh. */
  get connection(): IConnection {
    return this._connection;
  }

  /** Which engine answers; null until it did. */
  get info(): IEngineInfo | null {
    return this._book.info;
  }

  /** All devices. */
  get devices(): readonly IDevice[] {
    return this._book.devices;
  }

  /** All queues. */
  get queues(): readonly IQueueStatus[] {
    return this._book.queues;
  }

  /** All workloads that the user may see. */
  get workloads(): readonly IWorkload[] {
    return this._book.workloads;
  }

  /** Emitted when any of the above has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted for each workload that came, went or changed. */
  get workloadChanged(): ISignal<this, IWorkloadChange> {
    return this._workloadChanged;
  }

  /** Whether the model was given up. */
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** The workload of that id, if it is known. */
  workload(id: string): IWorkload | undefined {
    return this._book.workload(id);
  }

  /** Whether a workload is the user's own. */
  isMine(workload: IWorkload): boolean {
    return workload.owner === this.info?.user;
  }

  /** What can be asked of the engine and done to workloads. */
  get requests(): IRequests {
    return this._api;
  }

  /** Change to simulated devices, or with null to the machine's own. */
  async simulate(devices: string | null): Promise<IEngineInfo> {
    const info = await this._api.simulate(devices);
    if (!this._isDisposed) {
      // The engine starts over: what was heard until now is of another one.
      this._book.forgetPosition();
      this._stream.reconnect();
    }
    return info;
  }

  /** Follow a workload's log: all of it, or its end where it is long. */
  followLog(id: string): ILogFollower {
    return this._logs.follow(id);
  }

  /** Look at what a workload uses, as it is measured. */
  measure(measured: IMeasured): IMeasuring {
    return this._measurings.begin(measured);
  }

  /** Close the stream and forget all listeners. */
  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._stream.dispose();
    this._logs.clear();
    this._measurings.clear();
    Signal.clearData(this);
  }

  private _onReceived(_: EngineStream, message: ServerMessage): void {
    switch (message.type) {
      case 'error':
        this._onError(message);
        break;
      case 'log':
      case 'log_end':
        this._logs.hear(message);
        break;
      case 'measurements':
        this._measurings.hear(message);
        break;
      default:
        this._onEvent(message);
    }
  }

  private _onError(error: IErrorMessage): void {
    const { code, message, hint, topic } = error;
    const workload = error.workload ?? '';
    const problem = { code, message, hint };
    switch (topic) {
      case 'events':
        this._lose(problem);
        break;
      case 'log':
        this._logs.fail(workload, problem);
        break;
      case 'measurements':
        this._measurings.fail(workload, problem);
        break;
    }
  }

  private _onEvent(event: EngineEvent): void {
    const applied = this._book.apply(event);
    if (applied.kind === 'gap') {
      this._book.forgetPosition();
      this._stream.reconnect();
      return;
    }
    const wasLive = this._connection.phase === 'live';
    this._connection = { phase: 'live', heard: Date.now(), problem: null };
    if (applied.kind === 'changed') {
      for (const change of applied.workloads) {
        this._workloadChanged.emit(change);
      }
    }
    if (applied.kind === 'changed' || !wasLive) {
      this._changed.emit();
    }
  }

  private _onOpened(): void {
    this._logs.resume();
    this._measurings.resume();
  }

  private _onClosed(): void {
    // After an error message its explanation stays until something better is heard.
    if (this._connection.phase !== 'lost') {
      this._lose(null);
    }
  }

  private async _onRefused(): Promise<void> {
    const problem = await this._api.refusal();
    if (!this._isDisposed && this._connection.phase !== 'live') {
      this._lose(problem);
    }
  }

  private _lose(problem: IProblem | null): void {
    const said = this._connection.problem?.message;
    if (this._connection.phase === 'lost' && said === problem?.message) {
      return;
    }
    this._connection = { ...this._connection, phase: 'lost', problem };
    this._changed.emit();
  }

  private readonly _api: EngineApi;
  private readonly _stream: EngineStream;
  private readonly _book = new Book();
  private readonly _logs: Logs;
  private readonly _measurings: Measurings;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _workloadChanged = new Signal<this, IWorkloadChange>(this);
  private _connection: IConnection = {
    phase: 'starting',
    heard: null,
    problem: null
  };
  private _isDisposed = false;
}

/** A namespace for EngineModel's options. */
export namespace EngineModel {
  /** What a model needs. */
  export interface IOptions {
    /** Where the server is and how to speak to it. */
    serverSettings: ServerConnection.ISettings;
  }
}
