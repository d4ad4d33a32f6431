import { ITERATION_BUDGET } from '../../base/event-loop.ts';
import type { LogEntry } from '../../log/entry.ts';
import { type Frame, joinFrames } from '../../protocol/frame.ts';

/** Bytes of one write, about. */
const PIECE = 64 * 1024;

/** A source of a merge: the entries that are next in one channel. */
export interface MergeSource {
  /** The next entry, if there is one. */
  peek(): LogEntry | undefined;
  /** Moves past the entry that `peek` returned. Returns what is sent of it. */
  take(entry: LogEntry): Frame | undefined;
}

/** The result of a merge. */
export interface Merged {
  /** At most what one write sends. Undefined: nothing was to be sent. */
  readonly frame: Frame | undefined;
  /** There are no entries left. Otherwise the merge is to be called again. */
  readonly isComplete: boolean;
  /** It has spent the time budget of an iteration: filters may be slow. */
  readonly isBudgetSpent: boolean;
}

interface HeapNode {
  readonly source: MergeSource;
  entry: LogEntry;
}

/** Merges the next entries of several channels in the order of the log. A heap: a stream may follow thousands. */
export function merge(sources: Iterable<MergeSource>): Merged {
  const heap: HeapNode[] = [];
  for (const source of sources) {
    const entry = source.peek();
    if (entry !== undefined) heap.push({ source, entry });
  }
  for (let index = (heap.length >> 1) - 1; index >= 0; index--) siftDown(heap, index);
  const frames: Frame[] = [];
  let size = 0;
  let start = 0;
  for (let count = 1; heap.length > 0; count++) {
    // Most merges have one entry, and need no clock.
    if (count === 2) start = performance.now();
    const isBudgetSpent = count > 2 && performance.now() - start > ITERATION_BUDGET;
    if (size >= PIECE || isBudgetSpent) return { frame: join(frames), isComplete: false, isBudgetSpent };
    const top = heap[0] as HeapNode;
    const frame = top.source.take(top.entry);
    if (frame !== undefined) {
      frames.push(frame);
      size += frame.length;
    }
    const next = top.source.peek();
    if (next !== undefined) top.entry = next;
    else {
      const last = heap.pop() as HeapNode;
      if (heap.length === 0) break;
      heap[0] = last;
    }
    siftDown(heap, 0);
  }
  return { frame: join(frames), isComplete: true, isBudgetSpent: false };
}

function join(frames: readonly Frame[]): Frame | undefined {
  return frames.length > 0 ? joinFrames(frames) : undefined;
}

/** Restores the order of a heap below an index: the oldest entry is at the top. */
function siftDown(heap: HeapNode[], start: number): void {
  const node = heap[start];
  if (node === undefined) return;
  let index = start;
  for (;;) {
    let child = 2 * index + 1;
    let smallest = heap[child];
    if (smallest === undefined) break;
    const right = heap[child + 1];
    if (right !== undefined && right.entry.position < smallest.entry.position) {
      smallest = right;
      child += 1;
    }
    if (smallest.entry.position >= node.entry.position) break;
    heap[index] = smallest;
    index = child;
  }
  heap[index] = node;
}
