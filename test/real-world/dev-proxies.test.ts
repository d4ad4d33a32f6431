import { createHub, type EventStream, type Hub } from '@tidings/core';
import { sse } from '@tidings/express';
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { createServer } from 'vite';
import { describe, expect, type TestContext, test } from 'vitest';
import { eventually, request } from '../support/client.ts';
import { listen } from '../support/server.ts';
import { describeSubject, type Subject } from './subject.ts';

interface DevProxy extends Subject {
  /** Starts it in front of an origin. Resolves with its own. */
  start(target: string, context: TestContext): Promise<string>;
}

const proxies: DevProxy[] = [
  {
    name: 'Vite, `server.proxy`',
    package: 'vite',
    async start(target, { onTestFinished }) {
      const vite = await createServer({
        configFile: false,
        logLevel: 'silent',
        server: { host: '127.0.0.1', port: 0, ws: false, proxy: { '/events': target } },
        optimizeDeps: { noDiscovery: true },
      });
      await vite.listen();
      onTestFinished(() => vite.close());
      const address = vite.httpServer?.address();
      if (typeof address !== 'object' || address === null) throw new Error('Vite does not listen');
      return `http://127.0.0.1:${address.port}`;
    },
  },
  {
    name: 'http-proxy-middleware, Express',
    package: 'http-proxy-middleware',
    async start(target, { onTestFinished }) {
      const app = express();
      app.use(createProxyMiddleware({ target }));
      const { origin, kill } = await listen(app);
      onTestFinished(kill);
      return origin;
    },
  },
];

/** A server with one stream at `/events`. */
async function serve({ onTestFinished }: TestContext): Promise<{ hub: Hub; origin: string }> {
  const hub = createHub();
  const app = express();
  app.use(sse({ hub }));
  app.all('/events', (_req, res) => void res.sse());
  const { origin, kill } = await listen(app);
  onTestFinished(kill);
  return { hub, origin };
}

describe('Development servers', () => {
  for (const proxy of proxies) {
    describeSubject(proxy, () => {
      test('the first byte arrives before the first event, and each event before the next one is sent', async context => {
        const { hub, origin } = await serve(context);
        const client = await request(await proxy.start(origin, context), '/events');
        await client.until(({ comments }) => comments.length === 1);
        const [stream] = hub.streams as ReadonlySet<EventStream>;
        for (let n = 1; n <= 3; n++) {
          stream?.send(n);
          await client.until(({ events }) => events.length === n);
        }
        client.leave();
      });

      test('a disconnect of the client is detected', async context => {
        const { hub, origin } = await serve(context);
        const client = await request(await proxy.start(origin, context), '/events');
        await client.until(({ comments }) => comments.length === 1);
        client.reset();
        await eventually(() => hub.streams.size === 0);
      });
    });
  }

  describeSubject({ name: 'express-rate-limit', package: 'express-rate-limit' }, () => {
    test('a client over the limit receives a reconnection time', async context => {
      await context.annotate(
        'A 429 stops an EventSource permanently. Respond with an empty stream: `handler: (_req, res) => res.sse({ retry: 30_000 }).close()`',
        'note',
      );
      const app = express();
      const limit = rateLimit({ limit: 1, handler: (_req, res) => res.sse({ retry: 30_000 }).close() });
      app.use(sse(), limit);
      app.get('/events', (_req, res) => res.sse().close());
      const { origin, kill } = await listen(app);
      context.onTestFinished(kill);
      for (const text of [':\n\n', 'retry: 30000\n\n']) {
        const client = await request(origin, '/events');
        expect(await client.ended).toBe(true);
        expect([client.status, client.text]).toEqual([200, text]);
      }
    });
  });
});
