import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { serve } from '@hono/node-server';
import { serveStatic } from '@hono/node-server/serve-static';
import { createHub } from '@tidings/core';
import { sse } from '@tidings/hono';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { answer, model } from './answer.ts';

const port = Number(process.env.PORT ?? 3000);
const host = process.env.HOST ?? '127.0.0.1';
/** Characters of a question: it has to fit into a URL. */
const longest = 1_000;

// Each answer that is kept has a channel of its own, for an hour after its end. A token is an event.
const hub = createHub({
  channels: () => ({ history: { events: 50_000, age: 60 * 60_000 } }),
  observer: { dropped: id => void kept.delete(id) },
});
const kept = new Set<string>();

const app = new Hono();
app.use(sse({ hub }), sse.client());

// Pages of others must not ask at the expense of this server.
app.use('/answers/*', async (c, next) => {
  const site = c.req.header('Sec-Fetch-Site') ?? 'none';
  if (site !== 'same-origin' && site !== 'none') return c.text('Ask from the page of this server.', 403);
  return next();
});

app.get('/model', c => c.json({ model, longest }));

// The answer is for one client. When it disconnects, the source is cancelled, and the model stops. After the
// end of the source the client does not reconnect. An EventSource would, and get 204: the model is not asked again.
app.get('/answers', c => {
  const prompt = check(c.req.query('prompt'));
  return c.var.sse(stream =>
    stream.stream(signal => answer(prompt, signal), {
      event: ({ event }) => event,
      map: ({ data }) => data,
    }),
  );
});

// The answer is written into a channel, whether a client is connected or not.
app.post('/answers', bodyLimit({ maxSize: 16 * 1024 }), async c => {
  const body = await c.req.json().catch(() => undefined);
  const prompt = check(body?.prompt);
  const id = randomUUID();
  write(id, prompt);
  return c.json({ id }, 201);
});

app.get('/answers/:id', c => {
  const id = c.req.param('id');
  if (!kept.has(id)) return c.text('There is no such answer, or it is too old.', 404);
  return c.var.sse(stream => stream.subscribe(id, { from: 'start' }), { retry: 1_000 });
});

// The stop button, for everybody who has the answer open. With a broker it works in every process.
app.post('/answers/:id/stop', async c => {
  const id = c.req.param('id');
  if (!kept.has(id)) return c.text('There is no such answer, or it is too old.', 404);
  const channel = hub.channel(id);
  if ((await channel.state()) === 'open') {
    await channel.publish('', { event: 'stopped' });
    await channel.stop();
  }
  return c.body(null, 204);
});

function write(id: string, prompt: string) {
  kept.add(id);
  const channel = hub.channel(id);
  channel.publish(prompt, { event: 'question' });
  // Then it ends the channel, and the client does not reconnect.
  channel.from(signal => answer(prompt, signal), {
    event: ({ event }) => event,
    map: ({ data }) => data,
  });
}

function check(prompt: unknown): string {
  if (typeof prompt !== 'string' || prompt.trim() === '') {
    throw new HTTPException(400, { message: 'Send a question as "prompt".' });
  }
  if (prompt.length > longest) {
    throw new HTTPException(400, { message: `A question has at most ${longest} characters.` });
  }
  return prompt;
}

app.get('/readme', c => c.text(readFileSync(new URL('README.md', import.meta.url), 'utf8')));
app.get('/*', serveStatic({ root: fileURLToPath(new URL('public', import.meta.url)) }));

const server = serve({ fetch: app.fetch, port, hostname: host }, () => {
  console.log(`Answers: http://${host}:${port}`);
});
server.on('error', error => {
  console.error(`Cannot listen: ${error.message}. Set PORT to another port.`);
  process.exit(1);
});

process.on('SIGINT', stop);
process.on('SIGTERM', stop);

/** May be called again: under npm, a Ctrl-C comes from the terminal and from npm. */
async function stop() {
  const answered = once(server.close(), 'close');
  await hub.close({ within: 5_000, retry: [1_000, 3_000] });
  await Promise.race([answered, delay(2_000)]); // requests that are no streams
  process.exit(0);
}
