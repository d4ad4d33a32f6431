import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

// Only types are imported from Node.js: this file is loaded on other runtimes, too.

/** A request of `node:http` or `node:http2`. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
/** A response of `node:http` or `node:http2`. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** Error codes of RFC 9113, section 7: the stream is no longer needed; the response is incomplete. */
const NGHTTP2_CANCEL = 8;
const NGHTTP2_INTERNAL_ERROR = 2;

const closingConnections = new WeakSet<NodeResponse>();

/**
 * Closes the connection after a response: the client reconnects on another one, and `server.close()` does not wait for
 * this one. May be called again.
 */
export function closeConnectionAfter(req: NodeRequest, res: NodeResponse): void {
  if (isHttp2(req, res)) {
    // Sends GOAWAY, and closes the connection when its last stream is over.
    res.stream.session?.close();
    return;
  }
  if (!res.headersSent) (res as ServerResponse).shouldKeepAlive = false;
  if (res.writableFinished) req.socket.destroySoon();
  else if (!closingConnections.has(res)) res.once('finish', () => req.socket.destroySoon());
  closingConnections.add(res);
}

/**
 * Ends a response after everything that was written, so that the client notices that it is incomplete. May be called
 * again.
 */
export function endIncomplete(req: NodeRequest, res: NodeResponse): void {
  if (isHttp2(req, res)) {
    const { stream } = res;
    const reset = () => stream.close(NGHTTP2_INTERNAL_ERROR);
    // RST_STREAM drops what Node.js has not sent. An empty write calls back when everything before it was sent.
    if (stream.writableLength > 0) stream.write('', reset);
    else reset();
  } else if (res.socket === null) {
    res.destroy();
  } else if (req.httpVersion === '1.0') {
    // nginx speaks it by default. It has no chunks: a FIN would be the proper end of the response.
    const { socket } = res;
    socket.write('', () => socket.resetAndDestroy());
  } else {
    // Sends what is buffered, then a FIN in place of the last chunk.
    res.socket.destroySoon();
  }
}

/** Aborts a response; with HTTP/1.1, also the connection. */
export function abort(req: NodeRequest, res: NodeResponse): void {
  if (isHttp2(req, res)) {
    res.stream.close(NGHTTP2_CANCEL);
    res.stream.destroy();
  } else {
    res.destroy();
  }
}

/** Whether the response is over, so that nothing more can be written. */
export function isClosed(req: NodeRequest, res: NodeResponse): boolean {
  return isHttp2(req, res) ? res.stream.destroyed || res.stream.closed : res.destroyed;
}

/** Whether the request is one of HTTP/2. Not decided by properties of the response: applications add their own. */
export function isHttp2(req: NodeRequest, res: NodeResponse): res is Http2ServerResponse {
  return req.httpVersionMajor === 2 && res !== undefined;
}
