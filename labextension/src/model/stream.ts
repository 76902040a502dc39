import { URLExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Debouncer, Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { ClientMessage, ServerMessage } from '../wire';

/** The server says something every 15 s: three silent beats and the line counts as dead. */
const SILENCE_MS = 45_000;

/** First and longest pause between attempts to connect. */
const FREQUENCY = { interval: 1000, max: 30_000, backoff: true };

/**
 * The one WebSocket of this browser tab, opened again whenever it closes.
 *
 * A Lumino poll whose promise lasts as long as the socket does brings the
 * back-off, and opens nothing while the tab is hidden.
 */
export class EngineStream implements IDisposable {
  constructor(options: EngineStream.IOptions) {
    this._serverSettings = options.serverSettings;
    this._since = options.since;
    this._silence = new Debouncer(() => {
      this.reconnect();
    }, options.silence ?? SILENCE_MS);
    this._poll = new Poll<void, Error>({
      name: 'jupyter-runai:stream',
      factory: () => this._connect(),
      frequency: FREQUENCY,
      standby: 'when-hidden'
    });
  }

  /** Emitted with each message, in the order of arrival. */
  get received(): ISignal<this, ServerMessage> {
    return this._received;
  }

  /** Emitted when a socket has opened. */
  get opened(): ISignal<this, void> {
    return this._opened;
  }

  /** Emitted when the socket has closed. */
  get closed(): ISignal<this, void> {
    return this._closed;
  }

  /** Emitted when a socket could not be opened; a browser does not say why. */
  get refused(): ISignal<this, void> {
    return this._refused;
  }

  /** Whether the stream was given up. */
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Send a message; lost if no socket is open, so callers repeat it on `opened`. */
  send(message: ClientMessage): void {
    if (this._socket?.readyState === Private.OPEN) {
      this._socket.send(JSON.stringify(message));
    }
  }

  /** Leave the socket there is, if any, and open another without waiting. */
  reconnect(): void {
    this._drop();
    void this._poll.refresh();
  }

  /** Close the socket and never open another. */
  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._drop();
    this._silence.dispose();
    this._poll.dispose();
    Signal.clearData(this);
  }

  private _connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this._isDisposed) {
        resolve();
        return;
      }
      const { WebSocket: Socket } = this._serverSettings;
      const socket = new Socket(this._url());
      this._socket = socket;
      let wasOpen = false;
      let wasUseful = false;
      socket.onopen = () => {
        wasOpen = true;
        this._listen();
        this._opened.emit();
      };
      socket.onmessage = (event: MessageEvent<string>) => {
        this._listen();
        const message = JSON.parse(event.data) as ServerMessage;
        wasUseful ||= message.type !== 'error';
        this._received.emit(message);
      };
      socket.onclose = () => {
        this._socket = null;
        void this._silence.stop();
        (wasOpen ? this._closed : this._refused).emit();
        // A line that worked is worth another try at once; the back-off grows
        // with attempts that brought nothing.
        if (wasUseful) {
          resolve();
        } else {
          reject(new Error('The stream closed before it brought anything'));
        }
      };
      this._abandon = resolve;
    });
  }

  private _url(): string {
    const { appendToken, token, wsUrl } = this._serverSettings;
    const query: Record<string, string> = {};
    const since = this._since();
    if (since !== null) {
      query.since = since;
    }
    if (appendToken && token !== '') {
      query.token = token;
    }
    return (
      URLExt.join(wsUrl, 'jupyter-runai', 'stream') +
      URLExt.objectToQueryString(query)
    );
  }

  private _listen(): void {
    // Nothing may hang on its promise, which is one and the same while messages come: it would hang there for ever.
    void this._silence.invoke();
  }

  private _drop(): void {
    const socket = this._socket;
    if (socket === null) {
      return;
    }
    this._socket = null;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
    void this._silence.stop();
    this._closed.emit();
    this._abandon();
  }

  private readonly _serverSettings: ServerConnection.ISettings;
  private readonly _since: () => string | null;
  private readonly _poll: Poll<void, Error>;
  private readonly _silence: Debouncer;
  private readonly _received = new Signal<this, ServerMessage>(this);
  private readonly _opened = new Signal<this, void>(this);
  private readonly _closed = new Signal<this, void>(this);
  private readonly _refused = new Signal<this, void>(this);
  private _socket: WebSocket | null = null;
  private _abandon: () => void = () => undefined;
  private _isDisposed = false;
}

/** A namespace for EngineStream's options. */
export namespace EngineStream {
  /** What a stream needs. */
  export interface IOptions {
    /** Where the server is and how to speak to it. */
    serverSettings: ServerConnection.ISettings;

    /** The place to go on from, null to start with the full state. */
    since: () => string | null;

    /** How long a line may be silent, in milliseconds, before it counts as dead. */
    silence?: number;
  }
}

namespace Private {
  /** WebSocket.OPEN, which a replaced WebSocket class need not have. */
  export const OPEN = 1;
}
