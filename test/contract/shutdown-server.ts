import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { createHub } from '@tidings/core';
import { gracefulShutdown, openStream } from '@tidings/core/node';

// A server with a source that never ends, a stream of it, and a request that is answered when the streams have ended.

const hub = createHub();
const waiting: ServerResponse[] = [];

async function* count() {
  for (let number = 1; ; number++) {
    yield number;
    await turn();
  }
}

async function work(channel: string) {
  const isComplete = await hub.channel(channel).from(count, { end: false });
  await hub.publish(channel, isComplete ? 'complete' : 'stopped', { event: 'done' });
  await hub.channel(channel).end();
}

const server = createServer((req, res) => {
  if (req.url === '/waiting') {
    res.writeHead(200);
    res.write('waiting');
    waiting.push(res);
  } else {
    const stream = openStream(req, res, { hub });
    const channel = req.url === '/job' ? 'job' : 'news';
    stream.subscribe(channel, { from: 'start' });
    stream.closed.then(() => {
      for (const each of waiting.splice(0)) each.end(' answered');
    });
  }
});

void work('job');
gracefulShutdown(server, hub, {
  signals: ['SIGTERM', 'SIGUSR2'],
  within: 8_000,
  retry: [7, 7],
  before: async () => {
    await hub.publish('news', `listening: ${server.listening}`);
    throw new Error('nothing that stops the shutdown');
  },
});

server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
