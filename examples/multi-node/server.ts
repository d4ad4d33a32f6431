import { fileURLToPath } from 'node:url';
import { createHub } from '@tidings/core';
import { gracefulShutdown } from '@tidings/core/node';
import { sse } from '@tidings/express';
import { redisBroker } from '@tidings/redis';
import express, { type Response } from 'express';

const port = Number(process.env.PORT ?? 3001);
const host = process.env.HOST ?? '127.0.0.1';
const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';
/** What the page calls this node. */
const name = process.env.NODE_NAME ?? `node-${process.pid}`;
/** How to end it, for who wants to see what happens then. */
const kill = process.env.KILL_COMMAND ?? `kill -9 ${process.pid}`;

/** What is published where: by channel, by event. */
interface Channels {
  messages: { message: { id: string; from: string; text: string; at: number; node: string } };
  votes: { vote: { from: string; choice: string } };
  nodes: { node: { name: string; pages: number; at: number } };
}

// `messages` keeps what was said last; of `votes` and `nodes` only the newest of each counts. The options are the same
// on every node, and so is the log: it lives in Redis.
const hub = createHub<Channels>({
  broker: redisBroker({ url, prefix: 'multi-node' }),
  channels: channel =>
    channel === 'messages'
      ? { history: { events: 200, age: 24 * 60 * 60_000 } }
      : { compact: true, history: { events: 10_000 } },
  onError: (error, { stage }) => console.error(`${name}: ${stage}: ${error}`),
});

const app = express();
app.use(sse({ hub }), sse.client(), express.json());
app.use(express.static(fileURLToPath(new URL('public', import.meta.url))));
app.get('/readme', (_req, res) => {
  res.type('text').sendFile(fileURLToPath(new URL('README.md', import.meta.url)));
});

app.get('/events', (_req, res) => {
  const stream = res.sse({ retry: 1_000 });
  stream.subscribe(['votes', 'nodes']).subscribe('messages', { from: { last: 50 } });
  stream.send({ name, kill, at: Date.now() }, { event: 'served' });
  // In the log it stands behind everything that the page has missed: so the page knows when it has all of that.
  sayPresence();
});

// A real application takes who it is from its session.
app.post('/messages', (req, res) => {
  const { id, from, text } = req.body ?? {};
  if (![id, from, text].every(isShort)) res.sendStatus(400);
  else answer(res, hub.publish('messages', { id, from, text, at: Date.now(), node: name }));
});

app.post('/votes', (req, res) => {
  const { from, choice } = req.body ?? {};
  if (![from, choice].every(isShort)) res.sendStatus(400);
  else answer(res, hub.publish('votes', { from, choice }, { event: 'vote', key: from }));
});

function isShort(text: unknown): text is string {
  return typeof text === 'string' && text.trim() !== '' && text.length <= 280;
}

/** Not before it is stored. What has failed has been told to the hub's `onError`, which prints it. */
function answer(res: Response, published: Promise<string>) {
  published.then(
    () => res.sendStatus(204),
    () => res.sendStatus(503),
  );
}

/** Each node says that it is there; of one that was killed nothing comes any more. */
const presence = setInterval(sayPresence, 1_000);

function sayPresence() {
  const status = { name, pages: hub.streams.size, at: Date.now() };
  hub.publish('nodes', status, { event: 'node', key: name });
}

const server = app.listen(port, host, error => {
  if (error) throw error;
  console.log(`${name}: http://${host}:${port}, pid ${process.pid}`);
});

// Each page goes on at another node.
gracefulShutdown(server, hub, {
  within: 5_000,
  retry: [500, 2_000],
  before: () => clearInterval(presence),
});
