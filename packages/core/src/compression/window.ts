import type { Frame } from '../protocol/frame.ts';
import { Batch, type BatchSource, type Dictionary, LARGEST } from './batch.ts';
import type { CompressionSettings, Zlib } from './zlib.ts';

/** Bytes with which a batch compresses nearly as well as with the 32 KiB that the format allows. */
const DICTIONARY = 4 * 1024;

/** An entry of a channel, as a window needs it. */
export interface WindowEntry {
  readonly position: number;
  /** Absent: nothing of it is sent. */
  readonly frame: Frame | undefined;
  /** Bytes of all entries that its channel received before it. */
  readonly writtenBefore: number;
  readonly size: number;
}

/** An entry that may be part of a dictionary. Its offsets are kept: those of an entry change with its history. */
interface Part {
  readonly position: number;
  readonly start: number;
  readonly end: number;
  readonly frame: Frame | undefined;
}

/**
 * The newest entries of a channel, with which the next are compressed. A stream that has received exactly these, with
 * nothing in between, can decode what refers to them. Offsets are those of one history: with another history, there is
 * another window.
 */
export class Window implements BatchSource {
  /** Bytes that it retains beyond a round. */
  bytes = 0;
  readonly zlib: Zlib;
  readonly #minStreams: number;
  #parts: Part[] = [];
  /** Every live stream has been given everything before this offset. */
  #deliveredUpTo = 0;
  /** How often a batch was given to a stream with compression, since the last round and in it. */
  #wanted = 0;
  #wantedBefore = 0;

  constructor({ zlib, minStreams }: CompressionSettings) {
    this.zlib = zlib;
    this.#minStreams = minStreams;
  }

  add({ position, frame, writtenBefore, size }: WindowEntry): void {
    this.#parts.push({ position, start: writtenBefore, end: writtenBefore + size, frame });
  }

  /**
   * Consecutive entries as a frame that can be compressed.
   *
   * @param isWhole none of the entries was skipped.
   */
  batch(frame: Frame, first: WindowEntry, last: WindowEntry, isWhole: boolean): Batch {
    return new Batch(this, frame, first.writtenBefore, last.writtenBefore + last.size, isWhole);
  }

  /** Of what is new, all live streams are about to want the same. */
  want(batch: Batch): boolean {
    this.#wanted += 1;
    batch.wanted += 1;
    const isNew = batch.start >= this.#deliveredUpTo;
    return batch.wanted >= this.#minStreams || (isNew && this.#wantedBefore >= this.#minStreams);
  }

  /** All that it has, up to a few KiB; and the last entry alone, for streams that were interrupted before it. */
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

  /** A round of deliveries has ended: retains what the next batch may refer to. */
  endRound(deliveredUpTo: number): void {
    const next = this.#parts.findIndex(({ position }) => position > deliveredUpTo);
    const delivered = next === -1 ? this.#parts.length : next;
    const end = this.#parts[delivered - 1]?.end ?? 0;
    // Nothing of this channel was in the round.
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

  /** Retains nothing. */
  clear(): void {
    this.#parts = [];
    this.bytes = 0;
  }
}
