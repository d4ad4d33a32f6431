import assert from 'node:assert';
import { type EventStream, TidingsError } from '@tidings/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { expected, type Sent } from './expected.ts';
import { type Parsed, parseEventStream } from './reference-parser.ts';
import { type Answer, respond } from './respond.ts';
import { parseWithThirdParty } from './third-party-parser.ts';

const EVENTS = 60_000;
const random = createRandom(0x71d1);

/** What an attacker would put into a chat message. */
const FRAGMENTS = [
  ...['\r', '\n', '\r\n', '\n\n', '\r\r', '\n\r', '\0', '\u2028', '\u2029', '\x85', '\v', '\f', '\x1b'],
  ...['\ufeff', '\ud83d', '\ude00', '\ud83d\ude00', 'é', '…', '\u202e', '\xff'],
  ...['data: x', 'data:', 'data', 'id: 1', 'id', 'retry: 1', 'event: admin', ':', ': ', ' ', '  ', '\t'],
  ...['\n\nevent: admin\ndata: pwned\n\n', '\r\rid: 0\rdata: pwned\r\r', '\n\n\ufeffdata: pwned\n\n'],
  ...['</script>', '0\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n', '\\n', '%0a', 'text'],
];
/** Those that could stand in an `id` or `event`. */
const HARMLESS = FRAGMENTS.filter(fragment => !/[\r\n\0]/.test(fragment));

describe('60,000 hostile events on a real socket', () => {
  const sent: Sent[] = [];
  const rejected: { event: Attempt; error: unknown }[] = [];
  const wronglyAccepted: Attempt[] = [];
  let answer: Answer;

  beforeAll(async () => {
    answer = await respond(async stream => {
      for (let i = 0; i < EVENTS; i++) {
        if (i % 7 === 0) await sendComment(stream, text(FRAGMENTS));
        await sendEvent(stream, createAttempt(i));
      }
      stream.close();
    });
  });

  async function sendComment(stream: EventStream, comment: string): Promise<void> {
    sent.push({ comment });
    stream.comment(comment);
    await keepPace(stream);
  }

  async function sendEvent(stream: EventStream, event: Attempt): Promise<void> {
    const { data, ...fields } = event;
    try {
      stream.send(data, fields as { id?: string });
    } catch (error) {
      rejected.push({ event, error });
      return;
    }
    if (badFields(event).length > 0) wronglyAccepted.push(event);
    sent.push(event as Sent);
    await keepPace(stream);
  }

  /** Late, so that much of it has to queue, and is joined and cut on its way. */
  async function keepPace(stream: EventStream): Promise<void> {
    if (stream.bufferedBytes > 256 * 1024) await stream.drained();
  }

  it('include many valid and many invalid events', () => {
    expect(rejected.length).toBeGreaterThan(5_000);
    expect(sent.length).toBeGreaterThan(40_000);
  });

  it('with a forbidden field are refused, with the name of the field', () => {
    expect(wronglyAccepted).toEqual([]);
    for (const { event, error } of rejected) {
      assert(error instanceof TidingsError, String(error));
      assert.strictEqual(error.code, 'invalid-field');
      const named = /^(id|event|retry) must /.exec(error.message)?.[1] ?? '';
      assert(badFields(event).includes(named), `${error.message}: ${JSON.stringify(event)}`);
    }
  });

  it('are neither forged nor changed, by the standard', () => {
    compare(parseEventStream(answer.text), expected(sent));
  });

  it('are neither forged nor changed, by a third-party parser', () => {
    // In pieces of a size that has nothing to do with how they were written.
    const pieces = answer.text.match(/.{1,1013}/gs) ?? [];
    compare(parseWithThirdParty(pieces), expected(sent));
  });
});

interface Attempt {
  data: unknown;
  id?: string;
  event?: string;
  retry?: unknown;
}

function createAttempt(number: number): Attempt {
  const attempt: Attempt = { data: createData(number) };
  // One in eight has whatever comes, the others what is allowed.
  const fragments = random(8) === 0 ? FRAGMENTS : HARMLESS;
  if (random(2) === 0) attempt.id = text(fragments);
  if (random(2) === 0) attempt.event = text(fragments);
  if (random(16) === 0) attempt.retry = pick([0, 1, 3_000, -1, 0.5, Number.NaN, '1', '1\ndata: pwned\n\n']);
  return attempt;
}

function createData(number: number): unknown {
  if (number % 5_000 === 0) return `${'x'.repeat(200_000)}${text(FRAGMENTS)}\r${'y'.repeat(70_000)}`;
  if (number % 100 === 0) return text(FRAGMENTS).repeat(500);
  const hostile = text(FRAGMENTS);
  return pick([hostile, hostile, Buffer.from(hostile), { [hostile]: hostile }, [hostile]]);
}

function text(fragments: readonly string[]): string {
  return Array.from({ length: random(7) }, () => pick(fragments)).join('');
}

function badFields({ id = '', event = '', retry = 0 }: Attempt): string[] {
  const bad: string[] = [];
  if (/[\r\n\0]/.test(id)) bad.push('id');
  if (/[\r\n\0]/.test(event)) bad.push('event');
  if (!Number.isInteger(retry) || (retry as number) < 0) bad.push('retry');
  return bad;
}

/** One by one, since the difference of two lists of this length would tell nobody anything. */
function compare(actual: Parsed, wanted: Parsed): void {
  assert.deepStrictEqual(actual.ignored, []);
  for (const kind of ['events', 'comments', 'retries'] as const) {
    const all = wanted[kind];
    for (let i = 0; i < all.length; i++) assert.deepStrictEqual(actual[kind][i], all[i], `${kind} ${i}`);
    assert.strictEqual(actual[kind].length, all.length, `as many ${kind} as were sent`);
  }
}

function pick<T>(from: readonly T[]): T {
  return from[random(from.length)] as T;
}

/** The same numbers in every run (a linear congruential generator, of Numerical Recipes). */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
