import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrame, type Frame } from '../src/protocol/frame.ts';
import { FrameQueue, isLarge } from '../src/protocol/frame-queue.ts';

const PIECE = 64 * 1024;

function textOf(frame: Frame): string {
  return Buffer.from(frame.bytes).toString();
}

function takeAll(backlog: FrameQueue): Frame[] {
  const taken: Frame[] = [];
  // Bounded, so that a backlog that never ends fails and does not hang.
  while (backlog.length > 0 && taken.length < 1_000) taken.push(backlog.take());
  return taken;
}

describe('a backlog', () => {
  it('returns the frames in order, and counts its bytes', () => {
    const backlog = new FrameQueue();
    expect(backlog.length).toBe(0);
    for (const text of ['one', 'two€', 'three']) backlog.push(createFrame(text));
    expect(backlog.length).toBe(14);
    expect(textOf(backlog.take())).toBe('one');
    expect(backlog.length).toBe(11);
    backlog.push(createFrame('four'));
    expect(takeAll(backlog).map(textOf)).toEqual(['two€', 'three', 'four']);
    expect(backlog.length).toBe(0);
  });

  it('returns the frame itself, not a copy, because it is shared', () => {
    const frames = [createFrame('small'), createFrame('x'.repeat(PIECE))];
    const backlog = new FrameQueue();
    for (const frame of frames) backlog.push(frame);
    expect(backlog.take()).toBe(frames[0]);
    expect(backlog.take()).toBe(frames[1]);
  });

  it.each([
    [PIECE, [PIECE]],
    [PIECE + 1, [PIECE, 1]],
    [2 * PIECE, [PIECE, PIECE]],
    [2 * PIECE + 5, [PIECE, PIECE, 5]],
  ])('splits a frame of %i bytes into %j', (length, pieces) => {
    const text = 'abcdefg'.repeat(length / 7 + 1).slice(0, length);
    const backlog = new FrameQueue();
    backlog.push(createFrame(text));
    backlog.push(createFrame('next'));
    const taken = takeAll(backlog);
    expect(taken.map(frame => frame.length)).toEqual([...pieces, 4]);
    expect(taken.map(textOf).join('') === `${text}next`).toBe(true);
    expect(isLarge(createFrame(text))).toBe(length > PIECE);
  });

  it('joins small frames only', () => {
    const backlog = new FrameQueue();
    for (let i = 0; i < 640; i++) backlog.push(createFrame(`event ${i};`));
    const text = Array.from({ length: 640 }, (_, i) => `event ${i};`).join('');
    const taken = takeAll(backlog);
    expect(taken).toHaveLength(10);
    expect(taken.map(textOf).join('')).toBe(text);

    for (let i = 0; i < 640; i++) backlog.push(createFrame('x'.repeat(1_025)));
    expect(takeAll(backlog)).toHaveLength(640);
  });

  it('counts only queued frames', () => {
    const backlog = new FrameQueue();
    for (let i = 0; i < 63; i++) backlog.push(createFrame('taken'));
    takeAll(backlog);
    const frame = createFrame('alone');
    backlog.push(frame);
    expect(backlog.take()).toBe(frame);
  });

  it('never joins into more than a piece, and never across a frame that is not small', () => {
    const backlog = new FrameQueue();
    for (let i = 0; i < 64; i++) backlog.push(createFrame('x'.repeat(1_024)));
    expect(takeAll(backlog).map(frame => frame.length)).toEqual([PIECE]);

    for (let i = 0; i < 63; i++) backlog.push(createFrame('s'));
    backlog.push(createFrame('L'.repeat(2_000)));
    backlog.push(createFrame('s'));
    expect(takeAll(backlog)).toHaveLength(65);
  });

  it('keeps the order without gaps, whenever frames are added and taken', () => {
    const size = fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 1, max: 40 }) },
      { weight: 1, arbitrary: fc.integer({ min: 1_020, max: 1_030 }) },
      { weight: 1, arbitrary: fc.integer({ min: PIECE - 1, max: 3 * PIECE }) },
    );
    const push = fc.record({ size, times: fc.constantFrom(1, 1, 2, 63, 64, 65) });
    const take = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(fc.array(fc.oneof(push, take), { maxLength: 25 }), moves => {
        const backlog = new FrameQueue();
        const pushed: Uint8Array[] = [];
        const taken: Uint8Array[] = [];
        let waiting = 0;
        const takeOne = () => {
          const { bytes, length } = backlog.take();
          expect(length).toBeGreaterThan(0);
          expect(length).toBeLessThanOrEqual(PIECE);
          taken.push(bytes);
          waiting -= length;
          expect(backlog.length).toBe(waiting);
        };
        for (const move of moves) {
          if (typeof move === 'number') {
            for (let i = 0; i < move && waiting > 0; i++) takeOne();
            continue;
          }
          for (let i = 0; i < move.times; i++) {
            // Each frame has its own letter, so that no two can change places unseen.
            const frame = createFrame(String.fromCharCode(33 + (pushed.length % 90)).repeat(move.size));
            backlog.push(frame);
            pushed.push(frame.bytes);
            waiting += frame.length;
          }
        }
        while (waiting > 0) takeOne();
        expect(Buffer.concat(taken).equals(Buffer.concat(pushed))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});
