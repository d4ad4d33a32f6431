import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import type { Hub } from '@tidings/core';
import { sse as expressSse } from '@tidings/express';
import { sse as honoSse } from '@tidings/hono';
import { sse as koaSse } from '@tidings/koa';
import express from 'express';
import { Hono } from 'hono';
import Koa from 'koa';

/** What a tool for node:http is given of each request, before anything else. */
export type Tool = (req: IncomingMessage, res: ServerResponse) => void;

const none: Tool = () => {};

const apps: Record<string, (hub: Hub, tool: Tool) => RequestListener> = {
  express(hub, tool) {
    const app = express();
    app.use((req, res, next) => {
      tool(req, res);
      next();
    });
    app.use(expressSse({ hub }));
    app.get('/events', (_req, res) => {
      res.sse().subscribe('news');
    });
    app.get('/plain', (_req, res) => {
      res.send('plain');
    });
    return app;
  },
  koa(hub, tool) {
    const app = new Koa();
    app.silent = true;
    app.use((ctx, next) => {
      tool(ctx.req, ctx.res);
      return next();
    });
    app.use(koaSse({ hub }));
    app.use(ctx => {
      if (ctx.path === '/events') ctx.sse().subscribe('news');
      else ctx.body = 'plain';
    });
    return app.callback();
  },
  hono(hub, tool) {
    const app = new Hono<{ Bindings: HttpBindings }>();
    app.use((c, next) => {
      tool(c.env.incoming, c.env.outgoing);
      return next();
    });
    app.use(honoSse({ hub }));
    app.get('/events', c => c.var.sse(stream => stream.subscribe('news')));
    app.get('/plain', c => c.text('plain'));
    return getRequestListener(app.fetch);
  },
};

export const FRAMEWORKS = Object.keys(apps);

/** An app whose /events is a stream, and whose /plain is a response. */
export function listenerFor(framework: string, hub: Hub, tool = none): RequestListener {
  const create = apps[framework];
  if (create === undefined) throw new Error(`unknown framework: ${framework}`);
  return create(hub, tool);
}
