import { type Frame, joinBytes } from '../protocol/frame.ts';
import { combineCrc, createCrcShift } from './crc.ts';
import { storedBlocks } from './gzip.ts';
import type { Zlib } from './zlib.ts';

/** A longer batch is stored: to compress it would hold the event loop for longer than a turn may. */
export const LARGEST = 128 * 1024;
/** How far back deflate can refer. */
const MAX_DISTANCE = 32 * 1024;
/** Bytes of a window that zlib refers to nothing of (MIN_LOOKAHEAD). */
const LOOKAHEAD = 262;

/** Bytes that a batch may refer to, and the offset in the channel at which they begin. */
export interface Dictionary {
  readonly start: number;
  readonly frames: readonly Frame[];
}

/** What a batch needs of its channel. */
export interface BatchSource {
  readonly zlib: Zlib;
  /** A stream with compression is given the batch. Returns whether enough streams want it. */
  want(batch: Batch): boolean;
  /** The one with the most bytes first. */
  dictionariesBefore(offset: number): readonly Dictionary[];
}

/**
 * Consecutive entries of a channel, as one frame that has compressed forms. These are made when the first stream needs
 * them, and shared by all.
 */
export class Batch implements Frame {
  readonly chunk: Uint8Array;
  readonly length: number;
  readonly events: number;
  readonly hasId: boolean;
  readonly source: BatchSource;
  /** The bytes of its channel from this offset... */
  readonly start: number;
  /** ...up to this one. */
  readonly end: number;
  /** None of the entries in between was skipped. */
  readonly isWhole: boolean;
  /** How many streams with compression were given it. */
  wanted = 0;
  readonly #plain: Frame;
  #dictionaries: readonly Dictionary[] | undefined;
  /** By the index of the dictionary, after that without one. */
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
   * The smallest form that a stream can decode.
   *
   * @param runStart the offset from which on the last bytes of the stream are those of the channel, up to `start`.
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

  /** The CRC-32 of what a stream has received, and of this. */
  crcAfter(crc: number): number {
    if (this.#shift === undefined) {
      this.#crc = this.source.zlib.crc32(this.bytes, 0) | 0;
      this.#shift = createCrcShift(this.length);
    }
    return combineCrc(crc, this.#crc, this.#shift);
  }

  /** Raw deflate, up to a sync flush: the blocks end with a byte, and others can follow. */
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

/** As few as suffice: zlib allocates and clears memory for all of them. */
function windowBits(bytes: number): number {
  return Math.min(15, Math.max(13, Math.ceil(Math.log2(bytes + LOOKAHEAD))));
}

function lastBytes({ bytes }: Frame): Uint8Array {
  return bytes.subarray(-MAX_DISTANCE);
}
