import { type Frame, joinBytes } from '../protocol/frame.ts';
import { combineCrc, createCrcShift } from './crc.ts';
import { storedBlocks } from './gzip.ts';
import type { Zlib } from './zlib.ts';

/** Bytes. A longer batch is not compressed: that would block the event loop for more than the budget of an iteration. */
export const LARGEST = 128 * 1024;
/** Bytes: how far back deflate can refer. */
const MAX_DISTANCE = 32 * 1024;
/** Bytes of its window that zlib does not use for references (MIN_LOOKAHEAD). */
const LOOKAHEAD = 262;

/** Bytes that a compressed batch may refer to. */
export interface Dictionary {
  /** The offset in the channel of the first byte. */
  readonly start: number;
  readonly frames: readonly Frame[];
}

/** What a batch needs of its channel. */
export interface BatchSource {
  readonly zlib: Zlib;
  /** Counts a stream with compression that needs the batch. Returns whether enough streams need it to compress it. */
  want(batch: Batch): boolean;
  /** The dictionaries that end at an offset, largest first. */
  dictionariesBefore(offset: number): readonly Dictionary[];
}

/**
 * Consecutive entries of a channel, as one frame with compressed forms. Each form is created when the first stream
 * needs it, and is shared by all streams.
 */
export class Batch implements Frame {
  readonly chunk: Uint8Array;
  readonly length: number;
  readonly events: number;
  readonly hasId: boolean;
  readonly source: BatchSource;
  /** The offset in the channel of the first byte. */
  readonly start: number;
  /** The offset in the channel after the last byte. */
  readonly end: number;
  /** No entry between `start` and `end` was skipped. */
  readonly isWhole: boolean;
  /** Number of streams with compression that needed it. */
  wanted = 0;
  readonly #plain: Frame;
  #dictionaries: readonly Dictionary[] | undefined;
  /** Index 0 has the form without a dictionary; index n + 1 has the form for dictionary n. */
  readonly #forms: Frame[] = [];
  #stored: Frame | undefined;
  #crc = 0;
  #shift: Int32Array | undefined;

  constructor(source: BatchSource, plain: Frame, start: number, end: number, isWhole: boolean) {
    this.chunk = plain.chunk;
    this.length = plain.length;
    this.events = plain.events;
    this.hasId = plain.hasId;
    this.source = source;
    this.start = start;
    this.end = end;
    this.isWhole = isWhole;
    this.#plain = plain;
  }

  get bytes(): Uint8Array {
    return this.#plain.bytes;
  }

  /**
   * The smallest form that the client of a stream can decode.
   *
   * @param runStart the stream's most recent bytes are exactly the bytes of the channel from this offset to `start`.
   */
  encodedAfter(runStart: number): Frame {
    if (!this.source.want(this) || this.length > LARGEST) {
      this.#stored ??= joinBytes(storedBlocks(this.bytes), this.events, this.hasId);
      return this.#stored;
    }
    this.#dictionaries ??= this.source.dictionariesBefore(this.start);
    const index = this.#dictionaries.findIndex(({ start }) => start >= runStart);
    this.#forms[index + 1] ??= this.#compress(this.#dictionaries[index]);
    return this.#forms[index + 1] as Frame;
  }

  /** The CRC-32 of the bytes of a stream (`crc`) followed by this batch. */
  crcAfter(crc: number): number {
    if (this.#shift === undefined) {
      this.#crc = this.source.zlib.crc32(this.bytes, 0) | 0;
      this.#shift = createCrcShift(this.length);
    }
    return combineCrc(crc, this.#crc, this.#shift);
  }

  /** Raw deflate with a sync flush at the end: the blocks end at a byte boundary, so that other blocks can follow. */
  #compress(dictionary: Dictionary | undefined): Frame {
    const { deflateRawSync, constants } = this.source.zlib;
    const known = dictionary && joinBytes(dictionary.frames.map(lastBytes), 0, false).bytes;
    const blocks = deflateRawSync(this.bytes, {
      finishFlush: constants.Z_SYNC_FLUSH,
      dictionary: known,
      windowBits: windowBits((known?.length ?? 0) + this.length),
    });
    return joinBytes([blocks], this.events, this.hasId);
  }
}

/** The smallest window that has room for all bytes: zlib allocates and clears memory for the whole window. */
function windowBits(bytes: number): number {
  return Math.min(15, Math.max(13, Math.ceil(Math.log2(bytes + LOOKAHEAD))));
}

function lastBytes({ bytes }: Frame): Uint8Array {
  return bytes.subarray(-MAX_DISTANCE);
}
