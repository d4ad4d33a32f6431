import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { createHub, type EventStream, type Hub, type HubOptions } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Client, eventually, request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';

let hub: Hub;
let server: Running;
const streams: EventStream[] = [];
const clients: Client[] = [];

beforeAll(async () => {
  server = await listen((req, res) => {
    const { pathname, searchParams } = new URL(req.url, 'http://x');
    const stream = openStream(req, res, { hub, client: searchParams.get('client') ?? undefined });
    streams.push(stream);
    stream.subscribe(pathname.slice(1).split(','));
  });
});
afterAll(() => server.kill());
afterEach(() => {
  streams.length = 0;
  for (const client of clients.splice(0)) client.reset();
});

function createCompressedHub(options?: HubOptions): void {
  hub = createHub({ compression: true, ...options });
}

async function connect(path: string, lastEventId?: string): Promise<Client> {
  const headers: Record<string, string> = { 'accept-encoding': 'gzip' };
  if (lastEventId !== undefined) headers['last-event-id'] = lastEventId;
  const client = await request(server.origin, path, { headers });
  clients.push(client);
  await client.until(({ comments, events }) => comments.length + events.length > 0);
  return client;
}

const connectMany = (count: number, path: string) =>
  Promise.all(Array.from({ length: count }, () => connect(path)));
const seen = ({ events }: Client) =>
  events.filter(({ event }) => event !== 'tidings').map(({ data }) => data);
const lastId = ({ events }: Client) => events.findLast(({ id }) => id !== undefined)?.id;
const row = (n: number) =>
  `<tr id="row-${n}"><td class="name">Server ${n}</td><td class="state">running</td></tr>`;
const rows = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => row(first + i));
/** Text that no compression makes much smaller. */
const noise = (length: number) => randomBytes(length).toString('base64');

async function publish(
  channel: string,
  texts: readonly string[],
  receivers: readonly Client[],
): Promise<void> {
  for (const text of texts) {
    await hub.publish(channel, text);
    await Promise.all(receivers.map(client => client.until(each => seen(each).at(-1) === text)));
  }
}

/** Bytes that a client receives of what is published. */
async function bytesOf(client: Client, published: () => Promise<void>): Promise<number> {
  const before = client.body.length;
  await published();
  return client.body.length - before;
}

describe('a compressed channel', () => {
  it('is decoded to its end, whatever is sent in between', async () => {
    createCompressedHub();
    const early = await connectMany(5, '/a');
    await publish('a', rows(1, 20), early);
    for (const [index, stream] of streams.entries()) if (index % 2 === 0) stream.send(`to ${index}`);
    streams[1]?.comment('hello');
    await publish('a', rows(21, 40), early);
    const late = await connectMany(3, '/a');
    await publish('a', rows(41, 60), [...early, ...late]);
    for (const [index, client] of early.entries()) {
      const sent = index % 2 === 0 ? [`to ${index}`] : [];
      expect(seen(client)).toEqual([...rows(1, 20), ...sent, ...rows(21, 60)]);
    }
    for (const client of late) expect(seen(client)).toEqual(rows(41, 60));
    hub.channel('a').end();
    for (const client of [...early, ...late]) {
      expect(await client.ended).toBe(true);
      expect(gunzipSync(client.body).toString()).toBe(client.text);
    }
  });

  it('resumes after a broken connection, with each event once and in order', async () => {
    createCompressedHub();
    const others = await connectMany(4, '/a');
    const client = await connect('/a');
    await publish('a', rows(1, 10), [client, ...others]);
    client.reset();
    await publish('a', rows(11, 20), others);
    const again = await connect('/a', lastId(client));
    await publish('a', rows(21, 30), [again, ...others]);
    expect([...seen(client), ...seen(again)]).toEqual(rows(1, 30));
  });

  it('sends a reset to a slow client, and continues', async () => {
    createCompressedHub({ history: { events: 10 } });
    const others = await connectMany(3, '/a');
    const slow = await connect('/a');
    await publish('a', rows(1, 10), [slow, ...others]);
    slow.stall();
    const noises = Array.from({ length: 10 }, () => noise(30_000));
    const publishNoise = async (n: number) => {
      await hub.publish('a', noises[n % 10]);
      await new Promise(setImmediate);
    };
    for (let n = 0; hub.stats().lagging === 0; n++) await publishNoise(n);
    for (let n = 0; n < 20; n++) await publishNoise(n);
    slow.resume();
    await slow.until(({ events }) => events.some(({ event }) => event === 'reset'));
    await eventually(() => hub.stats().lagging === 0);
    await publish('a', rows(11, 30), [slow, ...others]);
    expect(seen(slow).slice(-20)).toEqual(rows(11, 30));
    for (const stream of streams) stream.close();
    for (const client of [slow, ...others]) {
      expect(await client.ended).toBe(true);
      expect(gunzipSync(client.body).toString()).toBe(client.text);
    }
  });

  it('skips superseded events of a compacted channel for a slow client only', async () => {
    createCompressedHub({ channels: () => ({ compact: true }) });
    const others = await connectMany(3, '/a');
    const slow = await connect('/a');
    const put = async (first: number, last: number, receivers: readonly Client[]) => {
      for (let n = first; n <= last; n++) await hub.publish('a', row(n), { key: String(n % 3) });
      await Promise.all(receivers.map(client => client.until(each => seen(each).at(-1) === row(last))));
    };
    await put(1, 20, [slow, ...others]);
    slow.stall();
    while (hub.stats().lagging === 0) {
      await hub.publish('a', noise(30_000), { key: 'noise' });
      await new Promise(setImmediate);
    }
    await put(21, 40, others);
    slow.resume();
    await put(41, 60, [slow, ...others]);
    const rowsOf = (client: Client) => seen(client).filter(text => text.startsWith('<'));
    const received = new Set(rowsOf(slow));
    expect(rowsOf(slow)).toEqual(rows(1, 60).filter(text => received.has(text)));
    expect(received.size).toBeLessThan(60);
    for (const client of others) expect(rowsOf(client)).toEqual(rows(1, 60));
  });

  it('is compressed for the streams that `except` does not name', async () => {
    createCompressedHub();
    const others = await connectMany(4, '/a');
    const me = await connect('/a?client=me');
    await publish('a', rows(1, 30), [me, ...others]);
    const bytes = await bytesOf(others[0] as Client, async () => {
      await hub.publish('a', row(31), { except: 'me' });
      await Promise.all(others.map(client => client.until(each => seen(each).at(-1) === row(31))));
    });
    expect(bytes).toBeLessThan(60);
    await publish('a', rows(32, 40), [me, ...others]);
    expect(seen(me)).toEqual([...rows(1, 30), ...rows(32, 40)]);
    for (const client of others) expect(seen(client)).toEqual(rows(1, 40));
  });

  it('is not compressed if the channel opts out, and shares nothing with another', async () => {
    createCompressedHub({ channels: name => ({ compression: name !== 'secret' }) });
    const receivers = await connectMany(5, '/open,secret');
    await publish('open', rows(1, 20), receivers);
    const [first] = receivers as [Client];
    const bytes = await bytesOf(first, () => publish('secret', [row(1)], receivers));
    expect(bytes).toBeGreaterThan(row(1).length);
    expect(await bytesOf(first, () => publish('open', [row(21)], receivers))).toBeLessThan(
      row(21).length + 20,
    );
    expect(seen(first)).toEqual([...rows(1, 20), row(1), row(21)]);
  });

  it('is compressed for few streams with `minStreams`', async () => {
    createCompressedHub({ compression: { minStreams: 1 } });
    const client = await connect('/a');
    await publish('a', rows(1, 30), [client]);
    expect(client.body.length).toBeLessThan(client.text.length / 3);
  });

  it('counts its dictionary against the bound of all histories', async () => {
    createCompressedHub({ history: false });
    const receivers = await connectMany(4, '/a');
    await publish('a', rows(1, 100), receivers);
    await eventually(() => hub.stats().historyBytes > 0);
    expect(hub.stats().historyBytes).toBeGreaterThanOrEqual(4_096);
    expect(hub.stats().historyBytes).toBeLessThan(5_000);
  });
});

// As middleware that listens for the headers.
describe('a compressed stream that the application uses while its headers are written', () => {
  it.each(['send', 'close'] as const)('can %s', async use => {
    createCompressedHub();
    const own = await listen((req, res) => {
      const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => never;
      res.writeHead = (...args: unknown[]) => {
        stream.send('2');
        if (use === 'close') stream.close();
        return writeHead(...args);
      };
      const stream = openStream(req, res, { hub });
      stream.send('1');
    });
    onTestFinished(() => own.kill());
    const client = await request(own.origin, '/', { headers: { 'accept-encoding': 'gzip' } });
    clients.push(client);
    await client.until(each => seen(each).length === 2);
    expect(seen(client)).toEqual(['1', '2']);
    if (use === 'close') await client.ended;
  });
});
