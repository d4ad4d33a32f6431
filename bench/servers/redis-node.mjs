// One end of the `redis` measurement: `node redis-node.mjs <what> <client> <url>` publishes, or is given what another
// such process publishes. What is published is the time of it, by the clock that all processes of a machine share.
import { createHub } from '@tidings/core';
import { redisBroker } from '@tidings/redis';
import { Redis } from 'ioredis';
import { createClient } from 'redis';

/**
 * @typedef {object} End
 * @property {(text: string, channel?: string) => Promise<unknown>} publish
 * @property {(receive: (at: number, texts: Iterable<string>) => void) => unknown} subscribe `at`: when it was given.
 */

const [what, client, url = ''] = process.argv.slice(2);

/** The least that stores: a position, an entry, a message. */
const STORE = `
local position = redis.call('HINCRBY', 'hub', 'seq', 1)
redis.call('XADD', 'log', position .. '-1', 'd', ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[1])
return position`;

/** µs. */
const now = () => Number(process.hrtime.bigint() / 1000n);

const { publish, subscribe } = await (what === 'tidings'
  ? hub()
  : client === 'redis'
    ? nodeRedis()
    : ioredis());

/** @returns {End} */
function hub() {
  const broker = redisBroker({
    client: client === 'redis' ? createClient({ url }) : new Redis(url, { lazyConnect: true }),
    prefix: 'bench',
  });
  // Nothing is lost, so that all can be counted.
  const hub = createHub({ broker, channels: () => ({ history: { events: 100_000, bytes: 1e8 } }) });
  return {
    publish: (text, channel = 'news') => hub.publish(channel, text),
    subscribe(receive) {
      const transport = {
        bufferedBytes: 0,
        listener: undefined,
        open() {},
        /** @param {import('@tidings/core').Frame} frame */
        write({ bytes }) {
          const at = now();
          receive(
            at,
            Array.from(bytes.toString().matchAll(/^data: (\d+)$/gm), match => match[1] ?? ''),
          );
          return true;
        },
        end() {},
        destroy() {},
      };
      hub.open(transport, { method: 'GET', url: '/' }).subscribe('news');
    },
  };
}

/** @returns {Promise<End>} */
async function nodeRedis() {
  const [publisher, subscriber] = await Promise.all([url, url].map(url => createClient({ url }).connect()));
  const digest = (await publisher?.scriptLoad(STORE)) ?? '';
  return {
    publish: async (text, channel = 'news') =>
      what === 'script'
        ? publisher?.sendCommand(['EVALSHA', digest, '0', text, channel])
        : publisher?.publish(channel, text),
    subscribe: receive => subscriber?.subscribe('news', text => receive(now(), [text])),
  };
}

/** @returns {Promise<End>} */
async function ioredis() {
  const [publisher, subscriber] = [url, url].map(url => new Redis(url, { enableAutoPipelining: true }));
  const digest = String(await publisher?.script('LOAD', STORE));
  return {
    publish: async (text, channel = 'news') =>
      what === 'script' ? publisher?.evalsha(digest, 0, text, channel) : publisher?.publish(channel, text),
    subscribe(receive) {
      subscriber?.on('message', (_channel, text) => receive(now(), [text]));
      return subscriber?.subscribe('news');
    },
  };
}

const pause = (/** @type {number} */ ms) => new Promise(resolve => setTimeout(resolve, ms));

/** @type {Record<string, (...given: number[]) => unknown>} */
const jobs = {
  /** Publishes at a steady pace. */
  async pace(count = 0, interval = 0) {
    for (let i = 0; i < count; i++) {
      publish(String(now()));
      await pause(interval);
    }
  },
  /** The same, while 20 MB a second are published to another channel, 10 KB each. */
  async flooded(count = 0, interval = 0) {
    const text = 'x'.repeat(10_000);
    let published = 0;
    const start = now();
    const flood = setInterval(() => {
      for (; published < (now() - start) / 500; published++) publish(text, 'flood').catch(() => {});
    }, 5);
    await jobs.pace?.(count, interval);
    clearInterval(flood);
  },
  /** Publishes so many in one turn, again and again. Returns when it began. */
  async bursts(count = 0, size = 1) {
    const start = now();
    for (let i = 0; i < count; i += size) {
      await Promise.all(Array.from({ length: size }, () => publish(String(now()))));
    }
    return start;
  },
  /** From now on, so many are waited for. */
  expect(count = 0) {
    received = new Promise(resolve => {
      waiting = { count, took: [], resolve };
    });
  },
  /** Returns what each of these took, sorted, in µs; and when the last one came. */
  received: () => received,
};

/** @type {Promise<unknown>} */
let received;

/** @type {{ count: number, took: number[], resolve: (result: { took: number[], end: number }) => void } | undefined} */
let waiting;

process.on('message', async (/** @type {{ job: string, given: number[] }} */ { job, given }) => {
  process.send?.({ result: await jobs[job]?.(...given) });
});
process.on('disconnect', () => process.exit());

await subscribe((at, texts) => {
  for (const text of texts) {
    if (waiting === undefined) continue;
    const { took, count, resolve } = waiting;
    took.push(at - Number(text));
    if (took.length < count) continue;
    waiting = undefined;
    resolve({ took: took.sort((a, b) => a - b), end: at });
  }
});
// A first one has come when all is set up.
jobs.expect?.(1);
await publish(String(now()));
await jobs.received?.();
process.send?.('ready');
