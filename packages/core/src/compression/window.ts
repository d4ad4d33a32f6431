import type { Frame } from '../protocol/frame.ts';
import { Batch, type BatchSource, type Dictionary, LARGEST } from './batch.ts';
import type { CompressionSettings, Zlib } from './zlib.ts';

/** Bytes of a dictionary. Batches compress nearly as well as with the 32 KiB that the format allows. */
const DICTIONARY = 4 * 1024;

/** An entry of a channel, as a window needs it. */
export interface WindowEntry {
  readonly position: number;
  /** Absent: the entry sends nothing. */
  readonly frame: Frame | undefined;
  /** Bytes of all entries that its channel received before it. */
  readonly writtenBefore: number;
  readonly size: number;
}

/** An entry that may be part of a dictionary. Its offsets are copied: those of the entry change with its history. */
interface Part {
  readonly position: number;
  readonly start: number;
  readonly end: number;
  readonly frame: Frame | undefined;
}

/**
 * The newest entries of a channel, to which the next compressed entries may refer. A stream that has received exactly
 * these entries, with nothing in between, can decode such references. Offsets belong to one history: another history
 * has another window.
 */
export class Window implements BatchSource {
  /** Bytes that are retained after a round. */
  bytes = 0;
  readonly zlib: Zlib;
  readonly #minStreams: number;
  #parts: Part[] = [];
  /** The bytes before this offset were delivered to every live stream. */
  #deliveredUpTo = 0;
  /** How often a stream with compression needed a batch since the last round ended. */
  #wanted = 0;
  /** `#wanted` of the round before. */
  #wantedBefore = 0;

  constructor({ zlib, minStreams }: CompressionSettings) {
    this.zlib = zlib;
    this.#minStreams = minStreams;
  }

  add({ position, frame, writtenBefore, size }: WindowEntry): void {
    this.#parts.push({ position, start: writtenBefore, end: writtenBefore + size, frame });
  }

  /**
   * Creates a batch of consecutive entries.
   *
   * @param isWhole whether no entry was skipped.
   */
  batch(frame: Frame, first: WindowEntry, last: WindowEntry, isWhole: boolean): Batch {
    return new Batch(this, frame, first.writtenBefore, last.writtenBefore + last.size, isWhole);
  }

  /**
   * If the last batches were needed by enough streams, a new batch is compressed for the first stream that needs it.
   */
  want(batch: Batch): boolean {
    this.#wanted += 1;
    batch.wanted += 1;
    const isNew = batch.start >= this.#deliveredUpTo;
    return batch.wanted >= this.#minStreams || (isNew && this.#wantedBefore >= this.#minStreams);
  }

  /**
   * The last entries, up to {@link DICTIONARY} bytes; then the last entry alone, for streams whose run starts with it.
   */
  dictionariesBefore(offset: number): Dictionary[] {
    let index = this.#parts.findLastIndex(({ end }) => end === offset);
    const frames: Frame[] = [];
    let last: Dictionary | undefined;
    let bytes = 0;
    let start = offset;
    for (
      let part = this.#parts[index];
      part?.end === start && bytes < DICTIONARY;
      part = this.#parts[--index]
    ) {
      start = part.start;
      if (part.frame === undefined) continue;
      frames.unshift(part.frame);
      bytes += part.frame.length;
      last ??= { start, frames: [part.frame] };
    }
    if (last === undefined) return [];
    return frames.length > 1 ? [{ start, frames }, last] : [last];
  }

  /** Called when a round of deliveries has ended. Retains the entries that the next batch may refer to. */
  endRound(deliveredUpTo: number): void {
    const next = this.#parts.findIndex(({ position }) => position > deliveredUpTo);
    const delivered = next === -1 ? this.#parts.length : next;
    const end = this.#parts[delivered - 1]?.end ?? 0;
    // The round had no entries of this channel.
    if (end <= this.#deliveredUpTo) return;
    this.#deliveredUpTo = end;
    this.#wantedBefore = this.#wanted;
    this.#wanted = 0;
    this.bytes = 0;
    let first = delivered;
    const isWanted = this.#wantedBefore >= this.#minStreams;
    while (isWanted && first > 0 && this.bytes < DICTIONARY) {
      const length = this.#parts[first - 1]?.frame?.length ?? 0;
      if (length > LARGEST) break;
      this.bytes += length;
      first -= 1;
    }
    this.#parts.splice(0, first);
  }

  clear(): void {
    this.#parts = [];
    this.bytes = 0;
  }
}
