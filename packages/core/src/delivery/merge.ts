import type { LogEntry } from '../log/entry.ts';
import { type Frame, joinFrames } from '../protocol/frame.ts';

/** Bytes of one write, about. */
const PIECE = 64 * 1024;

/**
 * Frames of entries that several readers have next, in the one order of the log: one write's worth at most.
 *
 * @param nextOf the entry that a reader has next, if any.
 * @param take called for each in turn: moves its reader on, and says what of it is to be sent.
 * @returns undefined when there was nothing to send.
 */
export function merge<Reader>(
  readers: readonly Reader[],
  nextOf: (reader: Reader) => LogEntry | undefined,
  take: (reader: Reader, entry: LogEntry) => Frame | undefined,
): Frame | undefined {
  const frames: Frame[] = [];
  for (let size = 0; size < PIECE; ) {
    let oldest: LogEntry | undefined;
    let whose: Reader | undefined;
    for (const reader of readers) {
      const entry = nextOf(reader);
      if (entry === undefined || (oldest !== undefined && entry.position > oldest.position)) continue;
      oldest = entry;
      whose = reader;
    }
    if (oldest === undefined) break;
    const frame = take(whose as Reader, oldest);
    if (frame === undefined) continue;
    frames.push(frame);
    size += frame.length;
  }
  return frames.length > 0 ? joinFrames(frames) : undefined;
}
