import { ServerConnection } from '@jupyterlab/services';

import type { ClientMessage, ServerMessage } from '../../src/wire';

/** A socket whose other end is the test. */
export class FakeSocket {
  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  /** All sockets of the test, oldest first. */
  static all: FakeSocket[] = [];

  /** The socket opened last. */
  static get last(): FakeSocket {
    const last = FakeSocket.all.at(-1);
    if (last === undefined) {
      throw new Error('No socket was opened');
    }
    return last;
  }

  readyState = 0;
  readonly sent: ClientMessage[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;

  /** The place in the stream that it asked to go on from. */
  get since(): string | null {
    return new URL(this.url).searchParams.get('since');
  }

  send(data: string): void {
    this.sent.push(JSON.parse(data) as ClientMessage);
  }

  close(): void {
    this.readyState = 3;
  }

  /** The server accepts. */
  accept(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  /** The server says something. */
  say(message: ServerMessage): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  /** The line breaks, or the server refuses. */
  break(): void {
    this.readyState = 3;
    this.onclose?.();
  }
}

/** Settings whose sockets and answers are the test's. */
export function fakeSettings(
  answer: (request: Request) => Response = () => Response.json({})
): ServerConnection.ISettings {
  FakeSocket.all = [];
  return ServerConnection.makeSettings({
    baseUrl: 'http://localhost:8888/user/a%40b/',
    wsUrl: 'ws://localhost:8888/user/a%40b/',
    token: 'secret',
    appendToken: true,
    WebSocket: FakeSocket as unknown as typeof WebSocket,
    fetch: input => Promise.resolve(answer(input as Request))
  });
}
