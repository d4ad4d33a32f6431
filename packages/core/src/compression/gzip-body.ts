import { type Frame, joinBytes } from '../protocol/frame.ts';
import { Batch, type BatchSource } from './batch.ts';
import { GZIP_HEADER, gzipTrailer, storedBlocks } from './gzip.ts';
import type { Zlib } from './zlib.ts';

/**
 * Encodes what one stream writes as a gzip body. Batches of a channel are compressed once for all streams; everything
 * else is stored.
 *
 * What a compressed batch refers to has to be the last output of the client's decoder, byte for byte. If it is not, most
 * decoders go on with wrong bytes. So it is never assumed but compared: `#source`, `#runStart` and `#runEnd` say which
 * bytes of which channel the stream has written last, and everything that is not the next batch of that channel begins
 * again.
 */
export class GzipBody {
  readonly #zlib: Zlib;
  #hasBegun = false;
  /** The channel of the last bytes that were written, and their offsets in it. */
  #source: BatchSource | undefined;
  #runStart = 0;
  #runEnd = 0;
  /** As a signed integer, which takes no memory of its own. */
  #crc = 0;
  #length = 0;

  constructor(zlib: Zlib) {
    this.#zlib = zlib;
  }

  /** To be called with every frame, in the order in which they are written. */
  encode(frame: Frame): Frame {
    this.#length = (this.#length + frame.length) | 0;
    const encoded = frame instanceof Batch ? this.#encodeBatch(frame) : this.#store(frame);
    if (this.#hasBegun) return encoded;
    this.#hasBegun = true;
    return joinBytes([GZIP_HEADER, encoded.bytes], frame.events, frame.hasId);
  }

  /** The end of the body. At least one frame has to be encoded before. */
  end(): Frame {
    return joinBytes([gzipTrailer(this.#crc, this.#length)], 0, false);
  }

  #encodeBatch(batch: Batch): Frame {
    this.#crc = batch.crcAfter(this.#crc);
    if (this.#source !== batch.source || this.#runEnd !== batch.start) this.#runStart = batch.start;
    const encoded = batch.encodedAfter(this.#runStart);
    this.#source = batch.source;
    this.#runEnd = batch.end;
    // What was skipped may be part of a dictionary.
    if (!batch.isWhole) this.#source = undefined;
    return encoded;
  }

  #store(frame: Frame): Frame {
    this.#source = undefined;
    this.#crc = this.#zlib.crc32(frame.bytes, this.#crc >>> 0) | 0;
    return joinBytes(storedBlocks(frame.bytes), frame.events, frame.hasId);
  }
}
