import { OutgoingMessage, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/** The `write` of a response that nothing has wrapped. */
const { write } = OutgoingMessage.prototype;
/**
 * Whether this is the `write` of Node.js itself, which calls `write_`. A tool that has wrapped it before this module was
 * loaded, as APMs do, has to see every chunk.
 */
const isUnwrapped = /\bwrite_\(/.test(Function.prototype.toString.call(write));
/** Bun and Deno have their own node:http, which does not write the response to this socket. */
const isNode = process.versions.bun === undefined && process.versions.deno === undefined;

const { get: readLength } =
  Object.getOwnPropertyDescriptor(OutgoingMessage.prototype, 'writableLength') ?? {};
const sample = (isNode ? new OutgoingMessage() : {}) as { outputSize?: unknown };
/** Since Node.js 22: what is written while the response is corked, as Node.js 26 does to the end of the tick. */
const chunkedLength = Object.getOwnPropertySymbols(sample).find(
  ({ description }) => description === 'kChunkedLength',
) as unknown as 'outputSize' | undefined;
const areFieldsKnown =
  typeof sample.outputSize === 'number' &&
  /kChunkedLength/.test(String(readLength)) === (chunkedLength !== undefined);

/**
 * Whether a response holds back bytes that its socket has not been given. Express gives each response a shape of its own,
 * on which the getter `writableLength` takes 1 µs, a tenth of a delivery. Its undocumented fields take 30 ns each.
 */
function isHoldingBack(res: ServerResponse, socket: Socket): boolean {
  if (!areFieldsKnown) return res.writableLength !== socket.writableLength;
  const { outputSize } = res as unknown as { outputSize: number };
  if (outputSize !== 0) return true;
  return chunkedLength !== undefined && (res as unknown as typeof sample)[chunkedLength] !== 0;
}

/** Whether something has replaced `write` of this response, or of all. Finding an own property needs no inline cache. */
export function isWrapped(res: ServerResponse): boolean {
  return OutgoingMessage.prototype.write !== write || Object.hasOwn(res, 'write');
}

/** The socket of a response whose chunks only Node.js itself frames, and nothing encodes or buffers. */
export function bareSocket(res: ServerResponse): Socket | undefined {
  const { socket } = res;
  if (!isNode || !isUnwrapped || !socket?.writable || !res.chunkedEncoding || res.write !== write)
    return undefined;
  // A response that has just got its socket still has to write its buffer.
  return !isHoldingBack(res, socket) && !res.writableEnded && res.writableCorked === 0 ? socket : undefined;
}

/** The part of libuv's stream that this needs. Undocumented: where it is missing, there is no descriptor. */
interface Handle {
  readonly fd?: number;
  readonly bytesWritten?: number;
  readonly writeQueueSize?: number;
}

/** `socket.bytesWritten`, which creates an array at each call. If nothing is queued, the handle has the same number. */
export function bytesWrittenTo(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle?: Handle | null };
  const bytes = socket.writableLength === 0 ? handle?.bytesWritten : undefined;
  return bytes ?? socket.bytesWritten;
}

/**
 * The descriptor of an open socket, if bytes that are sent to it arrive where `socket.write` would have put them, and
 * nobody misses the call: no TLS, nothing queued, no idle timer, no `write` of a tool; else -1. Calls nothing.
 */
export function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle?: Handle | null };
  if (handle == null || !mayHaveDescriptor(socket) || !socket.writable || socket.writableCorked > 0)
    return -1;
  if (socket.timeout || socket.write !== Socket.prototype.write || handle.writeQueueSize !== 0) return -1;
  return isOfSystem(handle) ? (handle.fd ?? -1) : -1;
}

/** A quick check: a TLSSocket is a subclass, and a client that reads slowly has bytes queued. */
export function mayHaveDescriptor(socket: Socket): boolean {
  return Object.getPrototypeOf(socket) === Socket.prototype && socket.writableLength === 0;
}

/** Its bytes go to the kernel as they are. A handle of JavaScript, or of TLS, is of another class. */
function isOfSystem(handle: Handle): boolean {
  const { name } = handle.constructor;
  return name === 'TCP' || name === 'Pipe';
}
