import { createHub } from '@tidings/core';
import { sse } from '@tidings/hono';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';

const SYMBOLS = ['♥', '★', '☘', '♫', '✿', '☕'];

export interface Channels {
  /** The reactions, in order: a page that reconnects receives those that it has missed. */
  reactions: { reaction: { symbol: string; from: string; at: number } };
  /** The newest event of each key: a new page receives the current state. */
  state: { totals: Record<string, number>; pages: number };
}

/** The texts that the application serves: each runtime reads files in its own way. */
export interface Files {
  page: string;
  design: string;
  readme: string;
}

/** The whole application. Of the runtime that serves it, it needs only the name. */
export function createApp(runtime: string, { page, design, readme }: Files) {
  const hub = createHub<Channels>({ channels: name => ({ compact: name === 'state' }) });
  const totals = Object.fromEntries(SYMBOLS.map(symbol => [symbol, 0]));
  showTotals();

  const app = new Hono();
  app.use(sse({ hub }));
  app.get('/', c => c.html(page));
  app.get('/design.css', c => c.body(design, 200, { 'Content-Type': 'text/css; charset=utf-8' }));
  app.get('/readme', c => c.text(readme));

  app.get('/events', c =>
    c.var.sse(
      stream => {
        // First: a subscription resumes only if it is made before the response begins.
        stream.subscribe('state').subscribe('reactions', { from: { last: 50 } });
        stream.send(runtime, { event: 'served' });
        showPages();
        stream.closed.then(showPages);
      },
      { retry: 1_000 },
    ),
  );

  app.post('/reactions', bodyLimit({ maxSize: 1024 }), async c => {
    const { symbol, from } = (await c.req.json().catch(() => null)) ?? {};
    if (!SYMBOLS.includes(symbol)) return c.text(`Send one of these as "symbol": ${SYMBOLS.join(' ')}`, 400);
    if (typeof from !== 'string' || from.trim() === '' || from.length > 24) {
      return c.text('Send a name of 1 to 24 characters as "from".', 400);
    }
    totals[symbol] = (totals[symbol] ?? 0) + 1;
    showTotals();
    await hub.publish('reactions', { symbol, from, at: Date.now() }, { event: 'reaction' });
    return c.body(null, 204);
  });

  function showTotals() {
    hub.publish('state', totals, { event: 'totals', key: 'totals' });
  }

  function showPages() {
    hub.publish('state', hub.streams.size, { event: 'pages', key: 'pages' });
  }

  return { app, hub };
}
