import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import net, { type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import {
  createHub,
  type EventStream,
  type FanOutTarget,
  type Hub,
  type SubscribeOptions,
} from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Client, eventually, request } from '../../../test/support/client.ts';
import { listen, type Running, run } from '../../../test/support/server.ts';
import { type Addon, loadAddon } from '../src/addon.ts';
import { SocketFanOut } from '../src/socket-fan-out.ts';
import { findAddon } from './find-addon.ts';

const addon = findAddon();

/** Counts what the addon sends. */
class Recorder implements Addon {
  calls = 0;
  /** Sockets that took a whole chunk. */
  whole = 0;
  /** Called before each call. */
  before: () => void = () => {};

  send(descriptors: Int32Array, count: number, chunk: Uint8Array): void {
    this.before();
    this.calls += 1;
    addon?.send(descriptors, count, chunk);
    this.whole += descriptors.subarray(0, count).filter(sent => sent === chunk.length).length;
  }
}

interface Served {
  hub: Hub;
  server: Running;
  recorder: Recorder;
  /** In the order in which they were opened. */
  streams: EventStream[];
  responses: ServerResponse[];
  connect(count: number): Promise<Client[]>;
}

const running: Running[] = [];
afterEach(() => {
  for (const server of running.splice(0)) server.kill();
});

async function serve(
  prepare: (req: IncomingMessage, res: ServerResponse) => SubscribeOptions | undefined = () => undefined,
): Promise<Served> {
  const recorder = new Recorder();
  const hub = createHub({ heartbeat: false, fanOut: new SocketFanOut(recorder) });
  const streams: EventStream[] = [];
  const responses: ServerResponse[] = [];
  const server = await listen((req: IncomingMessage, res: ServerResponse) => {
    const options = prepare(req, res);
    const stream = openStream(req, res, { hub, client: req.url });
    stream.subscribe('news', options);
    streams.push(stream);
    responses.push(res);
  });
  running.push(server);
  const connect = async (count: number) => {
    const clients: Client[] = [];
    // One after the other: in the order of the delivery loop.
    for (let i = 0; i < count; i++) {
      const client = await request(server.origin, `/${streams.length}`);
      // The marker: from now on, the stream is live.
      await client.until(({ events }) => events.length > 0);
      clients.push(client);
    }
    recorder.whole = recorder.calls = 0;
    return clients;
  };
  return { hub, server, recorder, streams, responses, connect };
}

const newsOf = ({ events }: Client) =>
  events.filter(({ event }) => event === undefined).map(({ data }) => data);
const received = (count: number) => (client: Client) => newsOf(client).length >= count;

describe.skipIf(addon === undefined)('a hub with native()', () => {
  it('sends an event to many streams with one call', async () => {
    const { hub, recorder, connect } = await serve();
    const clients = await connect(20);
    for (let i = 1; i <= 3; i++) {
      await hub.publish('news', i);
      for (const client of clients) await client.until(received(i));
    }
    for (const client of clients) expect(newsOf(client)).toEqual(['1', '2', '3']);
    expect(new Set(clients.map(({ text }) => text)).size).toBe(1);
    expect(recorder.whole).toBe(60);
    // One for each turn of the delivery loop, of which a busy machine makes more.
    expect(recorder.calls).toBeLessThan(30);
  });

  it('keeps the order of send(), close() and the end of a channel in the same iteration', async () => {
    const { hub, recorder, streams, connect } = await serve();
    const [sending, closing, ending, other] = (await connect(4)) as [Client, Client, Client, Client];
    let isDone = false;
    // After the delivery to the first three, and before the call of the addon.
    const act = () => {
      isDone = true;
      streams[0]?.send('sent');
      streams[1]?.close();
      return true;
    };
    streams[3]?.subscribe('news', { filter: () => isDone || act() });
    await turn();
    await hub.publish('news', 1);
    for (const client of [sending, closing, ending, other]) await client.until(received(1));
    hub.publish('news', 2);
    hub.channel('news').end();
    expect(await Promise.all([sending, closing, ending, other].map(({ ended }) => ended))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(newsOf(sending)).toEqual(['1', 'sent', '2']);
    expect(newsOf(closing)).toEqual(['1']);
    expect(newsOf(ending)).toEqual(['1', '2']);
    expect(recorder.whole).toBeGreaterThan(0);
  });

  it('never writes to a descriptor that was closed and reused in the same iteration', async () => {
    const foreign: Buffer[] = [];
    const accepted: Socket[] = [];
    const other = net.createServer(socket => accepted.push(socket.on('data', data => foreign.push(data))));
    const folder = mkdtempSync(join(tmpdir(), 'tidings-native-'));
    // A connection of this kind takes bytes as soon as it has its descriptor.
    const path = join(folder, 'other.sock');
    running.push(await run(other.listen(path) as never));
    const { hub, recorder, streams, responses, connect } = await serve();
    const clients = await connect(8);
    const opened: Socket[] = [];
    const descriptorOf = (socket: Socket | null | undefined) =>
      (socket as unknown as { _handle: { fd: number } })._handle.fd;
    const closed: number[] = [];
    let isDone = false;
    const churn = () => {
      isDone = true;
      for (const { socket } of responses.slice(0, 5)) {
        closed.push(descriptorOf(socket));
        socket?.destroy();
      }
      for (let i = 0; i < 5; i++) opened.push(net.connect(path));
      return true;
    };
    streams[7]?.subscribe('news', { filter: () => isDone || churn() });
    await turn();
    await hub.publish('news', 'for streams only');
    for (const client of clients.slice(5)) await client.until(received(1));
    // It is a test only if the kernel has given the same numbers again.
    expect(opened.map(descriptorOf).sort()).toEqual(closed.sort());
    await eventually(() => accepted.length === 5);
    for (const socket of opened) socket.end();
    await Promise.all(accepted.map(socket => once(socket, 'close')));
    expect(Buffer.concat(foreign).toString()).toBe('');
    // More, if the turn of the loop was over before.
    expect(recorder.whole).toBeGreaterThanOrEqual(3);
    await eventually(() => hub.streams.size === 3);
    rmSync(folder, { recursive: true });
  });

  it('sends the rest with socket.write to a client that does not read, without a gap', async () => {
    const { hub, recorder, streams, connect } = await serve();
    const clients = await connect(3);
    const [slow, ...fast] = clients as [Client, Client, Client];
    slow.stall();
    const data = 'x'.repeat(30_000);
    let published = 0;
    // Until the kernel takes no more.
    while ((streams[0]?.stats().bufferedBytes ?? 0) === 0) {
      published += 1;
      await hub.publish('news', `${published} ${data}`);
      for (const client of fast) await client.until(received(published));
    }
    expect(recorder.whole).toBeLessThan(3 * published);
    for (let i = 0; i < 3; i++) await hub.publish('news', `${++published} ${data}`);
    slow.resume();
    await slow.until(received(published));
    const numbers = newsOf(slow).map(text => Number.parseInt(text, 10));
    expect(numbers).toEqual(Array.from({ length: published }, (_, i) => i + 1));
  });

  it.each([
    ['has reset its connection', (client: Client) => client.reset()],
    ['has ended its connection', (client: Client) => client.leave()],
  ])('closes the stream of a client that %s, as disconnected', async (_, leave) => {
    const { hub, streams, connect } = await serve();
    const clients = await connect(5);
    const [gone, ...others] = clients as [Client, ...Client[]];
    leave(gone);
    for (let i = 1; i <= 50 && hub.streams.size === 5; i++) {
      await hub.publish('news', i);
      await turn();
    }
    expect(await streams[0]?.closed).toBe('disconnected');
    await hub.publish('news', 'last');
    for (const client of others) await client.until(each => newsOf(each).at(-1) === 'last');
  });

  it('uses socket.write for sockets with an idle timer, a wrapped write, or other queued bytes', async () => {
    const { hub, recorder, responses, connect } = await serve((req, res) => {
      if (req.url === '/0') res.socket?.setTimeout(60_000);
      if (req.url === '/1') {
        const socket = res.socket as Socket;
        const { write } = socket;
        socket.write = ((...args: Parameters<typeof write>) => write.apply(socket, args)) as typeof write;
      }
      if (req.url === '/2') {
        const { write } = res;
        res.write = ((...args: Parameters<typeof write>) => write.apply(res, args)) as typeof write;
      }
      return undefined;
    });
    const clients = await connect(5);
    responses[3]?.socket?.cork();
    await hub.publish('news', 1);
    // The last to be delivered to.
    await clients[4]?.until(received(1));
    responses[3]?.socket?.uncork();
    for (const client of clients) await client.until(received(1));
    expect(recorder.whole).toBe(1);
  });

  it('delivers to the others when the application changes a socket, or ends a response, in the same iteration', async () => {
    const { hub, streams, responses, connect } = await serve();
    const clients = await connect(4);
    let isDone = false;
    const end = () => {
      isDone = true;
      responses[0]?.end();
      responses[1]?.destroy();
      responses[2]?.socket?.setTimeout(60_000);
      return true;
    };
    streams[3]?.subscribe('news', { filter: () => isDone || end() });
    await turn();
    await hub.publish('news', 1);
    for (const client of clients.slice(2)) await client.until(received(1));
    expect(await clients[0]?.ended).toBe(true);
    expect(await clients[1]?.ended).toBe(false);
    await eventually(() => hub.streams.size === 2);
  });

  it('delivers every event to every client while others connect and disconnect', {
    timeout: 60_000,
  }, async () => {
    const { hub, server, connect } = await serve();
    // Connections of something else, which take descriptors that streams have left.
    const foreign = vi.fn();
    const other = net.createServer(socket => void socket.on('error', () => {}).on('data', foreign));
    running.push(await run(other as never));
    const { port } = other.address() as net.AddressInfo;
    const stayed = await connect(20);
    let isOver = false;
    const churn = async () => {
      while (!isOver) {
        const client = await request(server.origin, '/');
        const socket = net.connect(port, '127.0.0.1').on('error', () => {});
        await turn();
        if (Math.random() < 0.5) client.leave();
        else client.reset();
        socket.destroy();
      }
    };
    const churning = Array.from({ length: 20 }, churn);
    let published = 0;
    for (; published < 300; published++) {
      hub.publish('news', published);
      await turn();
    }
    isOver = true;
    await Promise.all(churning);
    for (const client of stayed) await client.until(received(published));
    const expected = Array.from({ length: published }, (_, i) => String(i));
    for (const client of stayed) expect(newsOf(client)).toEqual(expected);
    expect(foreign).not.toHaveBeenCalled();
    await eventually(() => hub.streams.size === stayed.length);
  });
});

describe.skipIf(addon === undefined)('the addon', () => {
  it('returns the bytes that each socket accepted: 0 if it is not writable', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
    const descriptors = new Int32Array([fd, -1, 1_000_000, 77]);
    const chunk = Buffer.from('GET');
    (addon as Addon).send(descriptors, 3, chunk);
    expect([...descriptors]).toEqual([3, 0, 0, 77]);
    socket.destroy();
    server.close();
  });

  it.each([
    ['no arguments', []],
    ['an array in place of descriptors', [[1], 1, Buffer.from('x')]],
    ['descriptors of another type', [new Float64Array(1), 1, Buffer.from('x')]],
    ['more than there are', [new Int32Array(1), 2, Buffer.from('x')]],
    ['text in place of a chunk', [new Int32Array(1), 1, 'x']],
    ['a chunk of another type', [new Int32Array(1), 1, new Uint16Array(1)]],
  ])('refuses %s', (_, args) => {
    const send = (addon as Addon).send as (...args: unknown[]) => void;
    expect(() => send(...args)).toThrow(TypeError);
  });
});

describe('SocketFanOut', () => {
  it('notifies every target, even if one throws', () => {
    const fanOut = new SocketFanOut({ send: descriptors => void descriptors.fill(2) });
    const told: [string, number][] = [];
    const target = (name: string, descriptor: number, error?: Error): FanOutTarget => ({
      descriptorFor: () => descriptor,
      sent: (_, bytes) => {
        told.push([name, bytes]);
        if (error !== undefined) throw error;
      },
    });
    fanOut.begin();
    const chunk = Buffer.from('ab');
    fanOut.add(target('one', 5), chunk);
    fanOut.add(target('two', -1, new Error('of two')), chunk);
    fanOut.add(target('three', 6), Buffer.from('cd'));
    expect(() => fanOut.flush()).toThrow('of two');
    expect(told).toEqual([
      ['one', 2],
      ['two', 0],
      ['three', 2],
    ]);
    expect(fanOut.isCollecting).toBe(false);
  });
});

it('loadAddon throws with the reason if there is no binary', () => {
  expect(() => loadAddon(['no-such-platform'])).toThrow(/^it has no binary for /);
});
