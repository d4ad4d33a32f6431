// A server on a host of its own, reached over a network that fails.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ChannelOptions,
  type CloseReason,
  createHub,
  type EventStream,
  type HubOptions,
} from '@tidings/core';
import { openStream } from '@tidings/core/node';

export interface ServerOptions {
  hub: HubOptions;
  channel?: ChannelOptions;
}

const { hub: options, channel = {} }: ServerOptions = JSON.parse(process.argv[2] ?? '');
const hub = createHub({ ...options, channels: () => channel });
const streams = new Set<EventStream>();
const reasons: CloseReason[] = [];
let published = 0;
let mostBuffered = 0;

const server = http.createServer((req, res) => {
  const stream = openStream(req, res, { hub, retry: 100 }).subscribe('numbers', { from: 'start' });
  streams.add(stream);
  stream.closed.then(reason => {
    streams.delete(stream);
    reasons.push(reason);
  });
});
// Of the host, which nobody but its peer reaches.
server.listen(0, '0.0.0.0', () => process.send?.((server.address() as AddressInfo).port));

const jobs: Record<string, (...args: number[]) => unknown> = {
  /** The next numbers, each as an event of so many bytes, ms apart; each with one of so many keys, in turns. */
  async publish(count, size, pause, keys) {
    for (let i = 0; i < count; i++, await delay(pause)) {
      const number = published++;
      hub.publish('numbers', String(number).padEnd(size, ' '), { key: String(number % keys) });
      for (const { bufferedBytes } of streams) mostBuffered = Math.max(mostBuffered, bufferedBytes);
    }
  },
  /** Why streams have closed so far. */
  closed: () => reasons,
  /** The most bytes that a stream had queued. */
  buffered: () => mostBuffered,
};

process.on('message', async ([name, ...args]: [string, ...number[]]) => {
  process.send?.((await jobs[name]?.(...args)) ?? null);
});
process.on('disconnect', () => process.exit());
