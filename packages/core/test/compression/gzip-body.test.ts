import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { combineCrc, createCrcShift } from '../../src/compression/crc.ts';
import { GzipBody } from '../../src/compression/gzip-body.ts';
import { Window } from '../../src/compression/window.ts';
import { loadZlib, type Zlib } from '../../src/compression/zlib.ts';
import { createFrame, type Frame, joinFrames } from '../../src/protocol/frame.ts';
import { IncrementalGunzip } from './incremental-gunzip.ts';

const zlib = loadZlib() as Zlib;
const OVERHEAD = 256;

interface Entry {
  position: number;
  frame: Frame | undefined;
  writtenBefore: number;
  size: number;
}

/** A channel, and rounds in which streams receive what is new. */
class Channel {
  window = new Window({ zlib, minStreams: 4 });
  readonly entries: Entry[] = [];
  #written = 0;

  append(frame: Frame | undefined): void {
    const size = OVERHEAD + (frame?.length ?? 0);
    const entry = { position: this.entries.length, frame, writtenBefore: this.#written, size };
    this.#written += size;
    this.entries.push(entry);
    this.window.add(entry);
  }

  /** Another history, whose offsets begin again. */
  replace(): void {
    this.window = new Window({ zlib, minStreams: 4 });
    this.#written = 0;
    for (const entry of this.entries) {
      entry.writtenBefore = this.#written;
      this.#written += entry.size;
    }
  }

  endRound(): void {
    this.window.endRound(this.entries.length - 1);
  }
}

/** One client, and what it has to see. */
class Client {
  readonly #body = new GzipBody();
  readonly #decoder = new IncrementalGunzip();
  /** The entry that comes next. */
  next: number;
  #plain = '';

  constructor(next: number) {
    this.next = next;
    this.write(createFrame(':\n\n'));
  }

  get received(): number {
    return this.#decoder.length;
  }

  write(frame: Frame): void {
    this.#plain += Buffer.from(frame.bytes).toString();
    expect(this.#decoder.push(this.#body.encode(frame))).toBe(this.#plain);
  }

  catchUp({ entries, window }: Channel, isSkipped: (entry: Entry) => boolean = () => false): void {
    const due = entries.slice(this.next);
    this.next = entries.length;
    const sent = due.filter(entry => entry.frame !== undefined && !isSkipped(entry));
    const [first, last] = [due[0], due.at(-1)];
    if (first === undefined || last === undefined || sent.length === 0) return;
    const frame = joinFrames(sent.map(entry => entry.frame as Frame));
    this.write(window.batch(frame, first, last, !due.some(isSkipped)));
  }

  /** Goes on at the head, as after a loss. */
  miss({ entries }: Channel): void {
    this.next = entries.length;
  }

  end(): void {
    this.#decoder.push(this.#body.end());
    expect(this.#decoder.end()).toBe(this.#plain);
  }
}

const WORDS = ['{"price":', '"ACME"', ' 12.34', '<tr class="row">', '</tr>', '€', 'data: ', '0123456789'];
const text = fc
  .array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 60 })
  .map(words => `data: ${words.join('')}\n\n`);
const frame = fc.oneof(
  { weight: 20, arbitrary: text },
  { weight: 1, arbitrary: text.map(unit => unit.repeat(600)) },
);
const client = fc.nat({ max: 9 });
const move = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('publish' as const), texts: fc.array(frame, { maxLength: 4 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('round' as const), slow: fc.array(client, { maxLength: 3 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('send' as const), client, text: frame }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('unsent' as const, 'replace' as const, 'clear' as const) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('join' as const, 'end' as const), client }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('skip' as const, 'miss' as const), client }) },
);

describe('a gzip body', () => {
  it('decodes each event as soon as its bytes arrive, whatever is in between', () => {
    fc.assert(
      fc.property(fc.array(move, { minLength: 20, maxLength: 60 }), moves => {
        const channel = new Channel();
        const clients = Array.from({ length: 6 }, () => new Client(0));
        const at = (index: number) => clients[index % clients.length];
        for (const step of moves) {
          if (step.kind === 'publish') for (const each of step.texts) channel.append(createFrame(each));
          else if (step.kind === 'unsent') channel.append(undefined);
          else if (step.kind === 'replace') channel.replace();
          else if (step.kind === 'clear') channel.window.clear();
          else if (step.kind === 'join') clients.push(new Client(channel.entries.length));
          else if (step.kind === 'send') at(step.client)?.write(createFrame(step.text));
          else if (step.kind === 'skip')
            at(step.client)?.catchUp(channel, ({ position }) => position % 2 === 0);
          else if (step.kind === 'miss') at(step.client)?.miss(channel);
          else if (step.kind === 'end') clients.splice(step.client % clients.length, 1)[0]?.end();
          else if (step.kind === 'round') {
            for (const [index, each] of clients.entries()) {
              if (!step.slow.includes(index)) each.catchUp(channel);
            }
            channel.endRound();
          }
        }
        for (const each of clients) each.end();
      }),
      { numRuns: 100 },
    );
  });

  it('refers to previous entries until something interrupts', () => {
    const row = (n: number) =>
      createFrame(`data: <tr id="row-${n}"><td class="name">Server ${n}</td></tr>\n\n`);
    const channel = new Channel();
    const clients = Array.from({ length: 5 }, () => new Client(0));
    const [first, second] = clients as [Client, Client];
    const round = (n: number): [number, number] => {
      const before = [first.received, second.received];
      channel.append(row(n));
      for (const each of clients) each.catchUp(channel);
      channel.endRound();
      return [first.received - (before[0] as number), second.received - (before[1] as number)];
    };
    for (let n = 1000; n < 1100; n++) round(n);
    const steady = round(1100);
    expect(steady[0]).toBeLessThan(20);
    expect(steady[1]).toBe(steady[0]);
    second.write(createFrame(':\n'));
    const after = round(1101);
    expect(after[1]).toBeGreaterThan(2 * after[0]);
    // The last entry is enough for most of it.
    const later = round(1102);
    expect(later[1]).toBeLessThan(20);
    for (const each of clients) each.end();
  });

  it('is stored for few streams, and retains nothing for them', () => {
    const channel = new Channel();
    const clients = Array.from({ length: 3 }, () => new Client(0));
    const row = createFrame(`data: ${'0123456789'.repeat(20)}\n\n`);
    for (let n = 0; n < 20; n++) {
      channel.append(row);
      for (const each of clients) {
        const before = each.received;
        each.catchUp(channel);
        expect(each.received - before).toBe(row.length + 5);
      }
      channel.endRound();
      expect(channel.window.bytes).toBe(0);
    }
  });

  it('retains a few KiB for many streams', () => {
    const channel = new Channel();
    const clients = Array.from({ length: 4 }, () => new Client(0));
    for (let n = 0; n < 100; n++) {
      channel.append(createFrame(`data: ${'0123456789'.repeat(20)}\n\n`));
      for (const each of clients) each.catchUp(channel);
      channel.endRound();
    }
    expect(channel.window.bytes).toBeGreaterThanOrEqual(4_096);
    expect(channel.window.bytes).toBeLessThan(5_000);
  });

  it('stores an entry that is too large to be compressed in one iteration', () => {
    const channel = new Channel();
    const clients = Array.from({ length: 5 }, () => new Client(0));
    channel.append(createFrame('x'.repeat(200 * 1_024)));
    for (const each of clients) each.catchUp(channel);
    for (const each of clients) expect(each.received).toBeGreaterThan(200 * 1_024);
    channel.endRound();
    expect(channel.window.bytes).toBe(0);
    for (const each of clients) each.end();
  });
});

describe('a CRC', () => {
  it('of two parts is that of the whole', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3_000 }), fc.uint8Array({ maxLength: 70_000 }), (one, other) => {
        const whole = crc32(Buffer.concat([one, other]));
        expect(combineCrc(crc32(one), crc32(other), createCrcShift(other.length)) >>> 0).toBe(whole);
      }),
    );
  });
});
