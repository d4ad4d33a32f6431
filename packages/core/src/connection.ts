import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

// Types only: what runs here has to load where there is no Node.

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** The code of a stream that is no longer wanted (RFC 9113, 7). */
const NGHTTP2_CANCEL = 8;

const hungUp = new WeakSet<NodeResponse>();

/**
 * Has a connection end with a response: its client is to come back on another, and a server that closes is not to
 * wait for it. May be called again.
 */
export function hangUp(req: NodeRequest, res: NodeResponse): void {
  if (isHttp2(req, res)) {
    // GOAWAY, and the end of the connection when its last stream is over.
    res.stream.session?.close();
    return;
  }
  if (!res.headersSent) (res as ServerResponse).shouldKeepAlive = false;
  if (res.writableFinished) req.socket.destroySoon();
  else if (!hungUp.has(res)) res.once('finish', () => req.socket.destroySoon());
  hungUp.add(res);
}

/** Ends a response at once, and of HTTP/1.1 the connection. */
export function cut(req: NodeRequest, res: NodeResponse): void {
  if (isHttp2(req, res)) {
    res.stream.close(NGHTTP2_CANCEL);
    res.stream.destroy();
  } else {
    res.destroy();
  }
}

/** Nothing more can be written to a response, and its client may not have received what was. */
export function isClosed(req: NodeRequest, res: NodeResponse): boolean {
  return isHttp2(req, res) ? res.stream.destroyed || res.stream.closed : res.destroyed;
}

/** Not by what the response has: applications put on it what they like. */
export function isHttp2(req: NodeRequest, res: NodeResponse): res is Http2ServerResponse {
  return req.httpVersionMajor === 2 && res !== undefined;
}
