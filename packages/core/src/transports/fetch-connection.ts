import {
  abort,
  closeConnectionAfter,
  endIncomplete,
  isClosed,
  type NodeRequest,
  type NodeResponse,
} from './connection.ts';

/** The connection of a web Request, on servers that give access to it. */
export interface FetchConnection {
  /** Closes the connection after the response, so that the client reconnects with a new one. Idempotent. */
  closeConnectionAfter(): void;
  /**
   * Ends the response after all written bytes, so that the client detects that it is incomplete. Idempotent. Default:
   * `destroy()`.
   */
  endIncomplete?(): void;
  /** Aborts the connection. */
  destroy(): void;
  /** Whether the response is over already. Default: false. */
  readonly closed?: boolean;
  /**
   * Calls the listener when the response is over. If it is present, the stream does not read the request's `signal`,
   * nor the `body` of a GET or HEAD request: @hono/node-server creates a whole Request for either, which takes 5 KB for
   * as long as the stream is open.
   */
  onClose?(listener: () => void): void;
}

/** Returns the connection of a web Request that was created from a request of Node.js, as by @hono/node-server. */
export function nodeConnection(req: NodeRequest, res: NodeResponse): FetchConnection {
  return new NodeConnection(req, res);
}

class NodeConnection implements FetchConnection {
  readonly #req: NodeRequest;
  readonly #res: NodeResponse;

  constructor(req: NodeRequest, res: NodeResponse) {
    this.#req = req;
    this.#res = res;
  }

  get closed(): boolean {
    return isClosed(this.#req, this.#res);
  }

  onClose(listener: () => void): void {
    this.#res.on('close', listener);
  }

  closeConnectionAfter(): void {
    closeConnectionAfter(this.#req, this.#res);
  }

  endIncomplete(): void {
    endIncomplete(this.#req, this.#res);
  }

  destroy(): void {
    abort(this.#req, this.#res);
  }
}
