import { OutgoingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What a response that nothing has wrapped has as its `write`. */
export const { write } = OutgoingMessage.prototype;
/**
 * Whether this is the `write` of Node.js itself, which calls `write_`. A tool that has wrapped it before this module was
 * loaded, as APMs do, has to see every chunk.
 */
const isUnwrapped = /\bwrite_\(/.test(Function.prototype.toString.call(write));
/** Bun and Deno have their own node:http, which does not write the response to this socket. */
const isNode = process.versions.bun === undefined && process.versions.deno === undefined;

/** The socket of a response whose chunks only Node.js itself frames, and nothing encodes or buffers. */
export function bareSocket(res: ServerResponse): Socket | undefined {
  const { socket } = res;
  if (!isNode || !isUnwrapped || !socket?.writable || !res.chunkedEncoding || res.write !== write)
    return undefined;
  // A response that has just got its socket still has to write its buffer.
  const isFlushed = res.writableLength === socket.writableLength;
  return isFlushed && !res.writableEnded && res.writableCorked === 0 ? socket : undefined;
}
