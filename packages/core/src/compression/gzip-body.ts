import { type Frame, joinBytes } from '../protocol/frame.ts';
import { Batch, type BatchSource } from './batch.ts';
import { GZIP_HEADER, gzipTrailer, storedBlocks } from './gzip.ts';
import { loadZlib, type Zlib } from './zlib.ts';

/**
 * Encodes what one stream writes as a gzip body. Batches of a channel are compressed once for all streams; everything
 * else is stored.
 *
 * What a compressed batch refers to has to be the last output of the client's decoder, byte for byte. If it is not, most
 * decoders go on with wrong bytes. So it is never assumed but compared: `source`, `runStart` and `runEnd` say which bytes
 * of which channel the stream has written last, and everything that is not the next batch of that channel begins again.
 *
 * There is one for each stream, so every field costs memory, and so does the first private method.
 */
export class GzipBody {
  /** The channel of the last bytes that were written, and their offsets in it. */
  #source: BatchSource | undefined;
  #runStart = 0;
  #runEnd = 0;
  /** A signed integer, which takes no memory of its own. Undefined until the body begins. */
  #crc: number | undefined;
  #length = 0;

  /** To be called with every frame, in the order in which they are written. */
  encode(frame: Frame): Frame {
    const before = this.#crc;
    this.#length = (this.#length + frame.length) | 0;
    let encoded: Frame;
    if (frame instanceof Batch) {
      this.#crc = frame.crcAfter(before ?? 0);
      if (this.#source !== frame.source || this.#runEnd !== frame.start) this.#runStart = frame.start;
      encoded = frame.encodedAfter(this.#runStart);
      // What was skipped may be part of a dictionary.
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

  /** The end of the body. At least one frame has to be encoded before. */
  end(): Frame {
    return joinBytes([gzipTrailer(this.#crc ?? 0, this.#length)], 0, false);
  }
}
