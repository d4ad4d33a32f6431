import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TidingsError } from '../base/errors.ts';
import type { FanOut } from '../delivery/fan-out.ts';
import type { Frame } from '../protocol/frame.ts';
import type { EventStream } from '../stream/event-stream.ts';
import type { Stream } from '../stream/stream.ts';
import type { Transport, TransportListener } from '../stream/transport.ts';
import { joinVary } from '../stream/vary.ts';
import { bareSocket, bytesWrittenTo, isWrapped, mayHaveDescriptor } from './bare-socket.ts';
import {
  abort,
  closeConnectionAfter,
  endIncomplete,
  isClosed,
  isHttp2,
  type NodeRequest,
  type NodeResponse,
} from './connection.ts';
import { discardBody, mayHaveBody } from './request-body.ts';
import { SharedWrite } from './shared-write.ts';

/**
 * There is one for each stream, so every field costs memory. So does the first private method of a class, which adds a
 * hidden field to each instance (V8 calls it the brand): this class has none.
 *
 * ```
 * pending ──open──▶ opened ──write, HTTP/1.1──▶ begun
 *    └──release──▶ released
 * ```
 *
 * `released`: something else sends the response. `begun`: the headers are on the socket, or queued for it.
 */
export class NodeTransport implements Transport {
  listener: TransportListener | undefined;
  /** The stream that writes to it. */
  stream: EventStream | undefined;
  readonly #req: NodeRequest;
  readonly #res: NodeResponse;
  #phase: 'pending' | 'released' | 'opened' | 'begun' = 'pending';
  #drain: Drain | undefined;
  /** Where the last chunk was written, past the response. */
  #socket: Socket | undefined;
  /** Bytes that the socket has been given, the last chunk included. */
  #written = 0;
  /** Absent if nothing was ever sent together with other responses. */
  #shared: SharedWrite | undefined;

  constructor(req: NodeRequest, res: NodeResponse) {
    this.#req = req;
    this.#res = res;
  }

  get closed(): boolean {
    return isClosed(this.#req, this.#res);
  }

  get refused(): boolean {
    return (this.#phase === 'pending' || this.#phase === 'released') && this.#res.headersSent;
  }

  get request(): { url: string; protocol: string } {
    const { url = '', originalUrl = url, httpVersion } = this.#req as NodeRequest & { originalUrl?: string };
    return { url: originalUrl, protocol: `HTTP/${httpVersion}` };
  }

  get bufferedBytes(): number {
    return this.#res.writableLength + (this.#shared?.length ?? 0);
  }

  /** @throws {TidingsError} `head-sent`: something else has sent the response, or will. */
  checkUnsent(): void {
    if (this.#phase === 'released' || areHeadersSent(this.#res)) throw headersSent();
  }

  open(status: number, headers: Record<string, string>, closesConnection = false): void {
    const res = this.#res;
    this.checkUnsent();
    if (this.closed) return;
    this.#phase = 'opened';
    res.removeHeader('content-length');
    res.removeHeader('etag');
    // A `content-encoding` is true only if the middleware that has set it also encodes what is written.
    if (!Object.hasOwn(res, 'write')) res.removeHeader('content-encoding');
    // Another middleware may have set it for another status. HTTP/2 has no status message.
    if (!isHttp2(this.#req, res)) res.statusMessage = '';
    if (closesConnection) closeConnectionAfter(this.#req, res);
    res.writeHead(status, withVary(headers, res));
    flattenHeaders(res);
    // While the body is not read, Node.js does not notice that the client has disconnected.
    if (this.#req.readableFlowing !== null) return;
    if (mayHaveBody(this.#req))
      discardBody(this.#req, error => (this.stream as Stream).report(error, 'request'));
    else this.#req.resume();
  }

  write(frame: Frame, fanOut?: FanOut): boolean {
    this.#shared?.writeNow();
    // Whether the last chunk's socket still accepts chunks is checked when they are sent.
    if (fanOut?.isCollecting && this.#socket !== undefined && mayHaveDescriptor(this.#socket)) {
      this.#shared ??= new SharedWrite(this);
      if (this.#shared.add(frame, fanOut)) return true;
    }
    const socket = this.socketPastResponse();
    if (socket !== undefined) {
      this.#written += frame.chunk.length;
      return socket.write(frame.chunk) || this.awaitDrain(socket);
    }
    const res = this.#res;
    if (this.closed || res.writableEnded) return true;
    if (!isHttp2(this.#req, res)) this.#phase = 'begun';
    const room = (res as ServerResponse).write(frame.bytes);
    // compression() and similar middleware buffer until they are flushed.
    if (Object.hasOwn(res, 'flush')) (res as unknown as { flush(): void }).flush();
    // A wrapped `write` may return nothing.
    return room !== false || this.awaitDrain(res);
  }

  /** Writes what is left of a frame of which so many bytes of its chunk were sent. */
  writeRest(frame: Frame, sent: number): void {
    const socket = this.#socket;
    if (sent === 0 || socket === undefined) {
      this.write(frame);
      return;
    }
    const rest = frame.chunk.subarray(sent);
    this.#written += rest.length;
    socket.write(rest);
  }

  end(closesConnection = false): void {
    this.#shared?.writeNow();
    const res = this.#res;
    if (closesConnection) closeConnectionAfter(this.#req, res);
    if (!res.writableEnded) res.end();
  }

  endIncomplete(): void {
    this.#shared?.writeNow();
    endIncomplete(this.#req, this.#res);
  }

  destroy(): void {
    this.#shared?.drop();
    abort(this.#req, this.#res);
  }

  release(): void {
    this.#phase = 'released';
  }

  /** A pipelined response that waits for those before it emits no 'close' when its connection closes. */
  awaitDisconnect(): void {
    const { socket } = this.#req;
    let queued = queuedOn.get(socket);
    if (queued === undefined) {
      queued = new Set();
      queuedOn.set(socket, queued);
      socket.once('close', () => {
        for (const transport of queuedOn.get(socket) ?? []) transport.disconnected();
      });
    }
    queued.add(this);
  }

  disconnected(): void {
    if (!isHttp2(this.#req, this.#res)) queuedOn.get(this.#req.socket)?.delete(this);
    this.#drain?.source.off('drain', this.#drain.listener);
    this.listener?.closed();
  }

  /**
   * Returns the socket if a chunk written to it directly arrives where `res.write` would have put it. That avoids framing
   * each chunk for each response. If nothing else has written to the socket, the response has not ended. If the response
   * buffers chunks, the socket is corked. So no property of the response is read: on Express each response has a shape of
   * its own (`setPrototypeOf`), and every read misses the inline caches. Only a later wrapper of `write` is looked for.
   */
  socketPastResponse(): Socket | undefined {
    if (this.#phase !== 'begun') return undefined;
    const known = this.#socket;
    const res = this.#res as ServerResponse;
    const isUnchanged =
      known?.writable && known.writableCorked === 0 && bytesWrittenTo(known) === this.#written;
    if (isUnchanged && !isWrapped(res)) return known;
    this.#socket = bareSocket(res);
    this.#written = this.#socket?.bytesWritten ?? 0;
    return this.#socket;
  }

  /** Listens for 'drain' on what was written to. One listener for the whole response, unless that changes. */
  awaitDrain(source: Socket | NodeResponse): false {
    if (this.#drain?.source !== source) {
      this.#drain?.source.off('drain', this.#drain.listener);
      const listener = () => this.listener?.drained();
      (source as Socket).on('drain', listener);
      this.#drain = { source, listener };
    }
    return false;
  }
}

interface Drain {
  source: Socket | NodeResponse;
  listener: () => void;
}

/** Responses that wait for those before them on the same connection. */
const queuedOn = new WeakMap<Socket, Set<NodeTransport>>();

/**
 * Node builds the header block by concatenation and retains it on the response. V8 represents such a string as a tree
 * of its parts: 25 nodes, 800 bytes for each open response. Node writes the block and the first chunk as one string,
 * which leaves the tree as it is. A regular expression works on a flat string, so V8 flattens this one in place. Not
 * `test()`: a bundler that knows the regular expression drops the call, because its result is not used.
 *
 * `_header` is undocumented (https://github.com/nodejs/node/blob/main/lib/_http_outgoing.js), but express-session,
 * morgan and others read it as well. Where it is no string, as with HTTP/2, this does nothing.
 */
function flattenHeaders(res: NodeResponse): void {
  const { _header } = res as { _header?: unknown };
  if (typeof _header === 'string') _header.search(/^/);
}

/** The headers, with the fields of `Vary` that middleware has set. */
function withVary(headers: Record<string, string>, res: NodeResponse): Record<string, string> {
  if (headers.vary === undefined || !res.hasHeader('vary')) return headers;
  return { ...headers, vary: joinVary(res.getHeader('vary'), headers.vary) };
}

/** Whether something has sent the response headers, or ended the response. */
export function areHeadersSent(res: NodeResponse): boolean {
  return res.headersSent || res.writableEnded;
}

export function headersSent(): TidingsError {
  return new TidingsError(
    'head-sent',
    'the response headers were already sent, so this response cannot become a stream',
  );
}
