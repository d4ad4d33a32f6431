import { createHub, type Hub } from '@tidings/core';
import { sse } from '@tidings/express';
import express5, { type Express, type Response, Router } from 'express';
// @ts-expect-error Express 4 comes under another name, and its types with Express 5
import express4 from 'express4';
import { afterEach, describe, expect, it } from 'vitest';
import { request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';

const versions: [string, typeof express5][] = [
  ['Express 4', express4],
  ['Express 5', express5],
];

describe.each(versions)('the hub of res.sse() · %s', (_, express) => {
  let server: Running | undefined;
  afterEach(() => {
    server?.kill();
    server = undefined;
  });

  const newApp = () => express().set('env', 'test');
  const answer = (_req: unknown, res: Response) => void res.sse().subscribe('a');

  /** Requests a path, and returns the index of the hub that has another stream. */
  async function openedAt(app: Express, path: string, hubs: Hub[]): Promise<number> {
    server ??= await listen(app);
    const before = hubs.map(hub => hub.streams.size);
    const { status } = await request(server.origin, path);
    expect(status).toBe(200);
    return hubs.findIndex((hub, i) => hub.streams.size > (before[i] ?? 0));
  }

  it('is the hub of the middleware that ran last for the request', async () => {
    const [everywhere, below, inRouter] = [sse(), sse(), sse()];
    const hubs = [everywhere.hub, below.hub, inRouter.hub];
    const router = Router();
    router.use(inRouter);
    router.get('/', answer);
    const app = newApp();
    app.use(everywhere);
    app.use('/below', below);
    app.get(['/', '/below'], answer);
    app.use('/router', router);
    expect(await openedAt(app, '/', hubs)).toBe(0);
    expect(await openedAt(app, '/below', hubs)).toBe(1);
    expect(await openedAt(app, '/router', hubs)).toBe(2);
    expect(await openedAt(app, '/', hubs)).toBe(0);
  });

  it('of a mounted application is the hub of its parent, unless it has its own', async () => {
    const [parents, own] = [sse(), sse()];
    const hubs = [parents.hub, own.hub];
    const child = newApp();
    child.get('/', answer);
    child.use('/own', own, answer);
    const app = newApp();
    app.use(parents);
    app.use('/child', child);
    app.get('/', answer);
    expect(await openedAt(app, '/child', hubs)).toBe(0);
    expect(await openedAt(app, '/child/own', hubs)).toBe(1);
    expect(await openedAt(app, '/', hubs)).toBe(0);
  });

  it('is the hub of the application whose handler calls it', async () => {
    const [first, second] = [sse(), sse()];
    const hubs = [first.hub, second.hub];
    const app = newApp();
    app.use('/first', newApp().use(first, answer));
    app.use('/second', newApp().use(second, answer));
    expect(await openedAt(app, '/first', hubs)).toBe(0);
    expect(await openedAt(app, '/second', hubs)).toBe(1);
    expect(await openedAt(app, '/first', hubs)).toBe(0);
  });

  it('works with two copies of the adapter, and a response has one stream for both', async () => {
    // @ts-expect-error the query makes a module of its own
    const copy = (await import('../../packages/express/src/index.ts?copy')) as { sse: typeof sse };
    expect(copy.sse).not.toBe(sse);
    const hubs = [createHub(), createHub()];
    const app = newApp();
    app.use(sse({ hub: hubs[0] }));
    app.use('/copy', copy.sse({ hub: hubs[1] }));
    const codes: unknown[] = [];
    app.use((_req: unknown, res: Response) => {
      res.sse();
      try {
        res.sse();
      } catch (error) {
        codes.push((error as { code?: unknown }).code);
      }
    });
    expect(await openedAt(app, '/', hubs)).toBe(0);
    expect(await openedAt(app, '/copy', hubs)).toBe(1);
    expect(codes).toEqual(['already-open', 'already-open']);
  });

  it('does not exist if no middleware ran', async () => {
    const app = newApp();
    app.use('/streams', sse(), answer);
    app.use((_req: unknown, res: Response) => void res.send(typeof res.sse));
    server = await listen(app);
    const client = await request(server.origin, '/');
    await client.ended;
    expect(client.text).toBe('undefined');
  });
});
