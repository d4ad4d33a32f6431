import { type Frame, joinBytes } from '../protocol/frame.ts';
import { Batch, type BatchSource } from './batch.ts';
import { GZIP_HEADER, gzipTrailer, storedBlocks } from './gzip.ts';
import { loadZlib, type Zlib } from './zlib.ts';

/**
 * Encodes the frames of one stream as a gzip body. Batches of a channel are compressed once for all streams; all other
 * frames become stored blocks.
 *
 * The bytes that a compressed batch refers to must be the last output of the client's decoder, byte for byte. Otherwise
 * most decoders continue with wrong bytes, without an error. Therefore `source`, `runStart` and `runEnd` record which
 * bytes of which channel the stream has written last, and each batch is compared with them. A frame that is not the
 * next batch of that channel starts a new run.
 *
 * Each stream has one, so every field costs memory, and so does the first private method.
 */
export class GzipBody {
  /** The channel of the last bytes that were written, and their offsets in it. */
  #source: BatchSource | undefined;
  #runStart = 0;
  #runEnd = 0;
  /** A signed 32-bit integer, which V8 stores without a separate object. Undefined until the body begins. */
  #crc: number | undefined;
  #length = 0;

  /** Must be called with every frame, in the order in which the frames are written. */
  encode(frame: Frame): Frame {
    const before = this.#crc;
    this.#length = (this.#length + frame.length) | 0;
    let encoded: Frame;
    if (frame instanceof Batch) {
      this.#crc = frame.crcAfter(before ?? 0);
      if (this.#source !== frame.source || this.#runEnd !== frame.start) this.#runStart = frame.start;
      encoded = frame.encodedAfter(this.#runStart);
      // If an entry was skipped, the client does not have it, but a dictionary may contain it.
      this.#source = frame.isWhole ? frame.source : undefined;
      this.#runEnd = frame.end;
    } else {
      this.#source = undefined;
      this.#crc = (loadZlib() as Zlib).crc32(frame.bytes, (before ?? 0) >>> 0) | 0;
      encoded = joinBytes(storedBlocks(frame.bytes), frame.events, frame.hasId);
    }
    return before === undefined
      ? joinBytes([GZIP_HEADER, encoded.bytes], frame.events, frame.hasId)
      : encoded;
  }

  /** The end of the body. At least one frame must have been encoded before. */
  end(): Frame {
    return joinBytes([gzipTrailer(this.#crc ?? 0, this.#length)], 0, false);
  }
}
