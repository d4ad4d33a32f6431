import { sse } from '@tidings/koa';
import Koa3 from 'koa';
// @ts-expect-error Koa 2 comes under another name, and its types with Koa 3
import Koa2 from 'koa2';
import { listen } from '../support/server.ts';
import type { Mount } from './mount.ts';
import { nodeContext } from './node.ts';

function mount(name: string, Koa: typeof Koa3, http2 = false): Mount {
  return {
    name,
    http2,
    serve(hub, handler) {
      const app = new Koa();
      // Koa prints every error that reaches it, unless this is set.
      app.silent = true;
      app.use(sse({ hub }));
      app.use(async ctx => {
        const context = nodeContext(ctx.req, ctx.res, options => ctx.sse(options));
        await handler({
          ...context,
          answer(status, text) {
            ctx.status = status;
            ctx.body = text;
          },
        });
      });
      return listen(app.callback(), { http2 });
    },
  };
}

export const koaMounts = [mount('Koa 2', Koa2), mount('Koa 3', Koa3), mount('Koa 3, HTTP/2', Koa3, true)];
