/**
 * Text that is encoded once, in every form that a transport can send. Streams share frames: do not modify the bytes.
 */
export interface Frame {
  /** The text as UTF-8. */
  readonly bytes: Uint8Array;
  /** Number of events that end in this frame. Comments are not counted. */
  readonly events: number;
  /** Whether an event in this frame has an id. */
  readonly hasId: boolean;
  /** Number of bytes. */
  readonly length: number;
  /** The same bytes as one chunk of an HTTP/1.1 chunked body (RFC 9112, 7.1). */
  readonly chunk: Uint8Array;
}

// Frames are Buffers where the runtime has them: Node's sockets wrap any other Uint8Array again at each write.
const { Buffer } = globalThis as { Buffer?: typeof globalThis.Buffer };
const CRLF = '\r\n';

class ChunkedFrame implements Frame {
  readonly chunk: Uint8Array;
  readonly length: number;
  readonly events: number;
  readonly hasId: boolean;
  #bytes: Uint8Array | undefined;

  constructor(chunk: Uint8Array, length: number, events: number, hasId: boolean) {
    this.chunk = chunk;
    this.length = length;
    this.events = events;
    this.hasId = hasId;
  }

  get bytes(): Uint8Array {
    const end = this.chunk.length - CRLF.length;
    this.#bytes ??= this.chunk.subarray(end - this.length, end);
    return this.#bytes;
  }
}

/** Encodes text. It must not be empty, because an empty chunk ends an HTTP/1.1 body. Lone surrogates become U+FFFD. */
export function createFrame(text: string, events = 0, hasId = false): Frame {
  if (Buffer === undefined) return joinBytes([toBytes(text)], events, hasId);
  const length = Buffer.byteLength(text);
  return new ChunkedFrame(Buffer.from(chunkHead(length) + text + CRLF), length, events, hasId);
}

/** Created on first use; only for runtimes without Buffer. */
let encoder: InstanceType<typeof TextEncoder> | undefined;

function toBytes(text: string): Uint8Array {
  encoder ??= new TextEncoder();
  return encoder.encode(text);
}

/** Joins frames, so that they are sent with one write. */
export function joinFrames(frames: readonly Frame[]): Frame {
  const [only] = frames;
  if (only !== undefined && frames.length === 1) return only;
  const events = frames.reduce((sum, frame) => sum + frame.events, 0);
  return joinBytes(
    frames.map(frame => frame.bytes),
    events,
    frames.some(frame => frame.hasId),
  );
}

/** The bytes of a frame from `start` up to `end`. */
export function sliceFrame(frame: Frame, start: number, end: number): Frame {
  const isLast = end === frame.length;
  return joinBytes([frame.bytes.subarray(start, end)], isLast ? frame.events : 0, isLast && frame.hasId);
}

/** Creates one frame from bytes, which must not be empty. */
export function joinBytes(parts: readonly Uint8Array[], events: number, hasId: boolean): Frame {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = chunkHead(length);
  const size = head.length + length + CRLF.length;
  const chunk = Buffer === undefined ? new Uint8Array(size) : Buffer.allocUnsafe(size);
  let offset = writeAscii(head, chunk, 0);
  for (const part of parts) {
    chunk.set(part, offset);
    offset += part.length;
  }
  writeAscii(CRLF, chunk, offset);
  return new ChunkedFrame(chunk, length, events, hasId);
}

function writeAscii(text: string, bytes: Uint8Array, start: number): number {
  for (let i = 0; i < text.length; i++) bytes[start + i] = text.charCodeAt(i);
  return start + text.length;
}

function chunkHead(length: number): string {
  return length.toString(16) + CRLF;
}
