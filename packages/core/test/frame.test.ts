import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrame, type Frame, joinFrames, sliceFrame } from '../src/protocol/frame.ts';

/** Every length at which the size of a chunk gets another digit, and the characters that UTF-8 makes long. */
const TEXTS = [
  'a',
  'x'.repeat(15),
  'x'.repeat(16),
  'x'.repeat(255),
  'x'.repeat(4_096),
  'é€😀\ud83d\r\n',
  '\ufeffa\0',
];
const text = fc.string({ unit: 'binary', minLength: 1 });

/** The body of one HTTP/1.1 chunk, which must be all there is (RFC 9112, 7.1). */
function readChunk(chunk: Uint8Array): string {
  const wire = Buffer.from(chunk).toString('latin1');
  const [, size = '', rest = ''] = /^([0-9a-f]+)\r\n(.*)$/is.exec(wire) ?? [];
  const length = Number.parseInt(size, 16);
  expect(rest.slice(length)).toBe('\r\n');
  return rest.slice(0, length);
}

function expectBytes(frame: Frame, bytes: Uint8Array): void {
  const latin1 = Buffer.from(bytes).toString('latin1');
  expect(Buffer.from(frame.bytes).toString('latin1')).toBe(latin1);
  expect(readChunk(frame.chunk)).toBe(latin1);
  expect(frame.length).toBe(bytes.length);
}

describe('a frame', () => {
  it.each(TEXTS)('has the bytes of its text, and a chunk of these bytes: %j', value => {
    expectBytes(createFrame(value), Buffer.from(value));
  });

  it('shares memory between its forms, and uses Buffers if they exist', () => {
    const frame = createFrame('hello');
    expect(frame.bytes.buffer).toBe(frame.chunk.buffer);
    expect(frame.bytes).toBe(frame.bytes);
    expect(frame.chunk).toBeInstanceOf(Buffer);
    expect(joinFrames([frame]).chunk).toBeInstanceOf(Buffer);
  });

  it('joined contains the texts in order', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1 }), texts => {
        expectBytes(
          joinFrames(texts.map(text => createFrame(text))),
          Buffer.concat(texts.map(value => Buffer.from(value))),
        );
      }),
    );
  });

  it('sliced is that part of the bytes', () => {
    fc.assert(
      fc.property(text, fc.nat(), fc.nat(), (value, a, b) => {
        const bytes = Buffer.from(value);
        const [start = 0, end = 0] = [a % bytes.length, b % (bytes.length + 1)].sort((x, y) => x - y);
        fc.pre(start < end);
        expectBytes(sliceFrame(createFrame(value), start, end), bytes.subarray(start, end));
      }),
    );
  });

  it('sliced and joined again is equal to the original', () => {
    fc.assert(
      fc.property(text, fc.nat(), (value, at) => {
        const frame = createFrame(value);
        fc.pre(frame.length > 1);
        const cut = 1 + (at % (frame.length - 1));
        const parts = [sliceFrame(frame, 0, cut), sliceFrame(frame, cut, frame.length)];
        expectBytes(joinFrames(parts), frame.bytes);
      }),
    );
  });
});

it('a frame is the same without Buffer', async () => {
  const program = fileURLToPath(new URL('frame-without-buffer.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--import',
    import.meta.resolve('tsx'),
    program,
    JSON.stringify(TEXTS),
  ]);
  const made: { bytes: number[]; chunk: number[]; length: number }[] = JSON.parse(stdout);
  expect(made).toHaveLength(TEXTS.length + 2);
  const all = TEXTS.join('').toWellFormed();
  for (const [i, value] of [...TEXTS, all, all.slice(1)].entries()) {
    const { bytes = [], chunk = [], length = 0 } = made[i] ?? {};
    expectBytes(
      { bytes: Uint8Array.from(bytes), chunk: Uint8Array.from(chunk), length, events: 0, hasId: false },
      Buffer.from(value),
    );
  }
});
