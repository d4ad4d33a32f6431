import { createHub } from '@tidings/core';
import { sse } from '@tidings/hono';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';

const SYMBOLS = ['♥', '★', '☘', '♫', '✿', '☕'];

export interface Channels {
  /** What was sent, in order: a page that comes back is given what it has missed. */
  reactions: { reaction: { symbol: string; from: string; at: number } };
  /** The newest of each: a page that comes sees the present state. */
  state: { totals: Record<string, number>; pages: number };
}

/** The whole application. It knows nothing of the runtime that serves it, but for its name. */
export function createApp(runtime: string, page: string) {
  const hub = createHub<Channels>({ channels: name => ({ compact: name === 'state' }) });
  const totals = Object.fromEntries(SYMBOLS.map(symbol => [symbol, 0]));
  showTotals();

  const app = new Hono();
  app.use(sse({ hub }));
  app.get('/', c => c.html(page));

  app.get('/events', c =>
    c.var.sse(
      stream => {
        // First of all, for a page that comes back goes on where it was only until the answer has begun.
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
