import { sse } from '@tidings/express';
import express5, { type Express } from 'express';
// @ts-expect-error Express 4 comes under another name, and its types with Express 5
import express4 from 'express4';
import { listen } from '../support/server.ts';
import type { Mount } from './mount.ts';
import { nodeContext } from './node.ts';

function mount(name: string, express: () => Express): Mount {
  return {
    name,
    serve(hub, handler) {
      const app = express();
      // Express prints what reaches its last error handler, unless this is set.
      app.set('env', 'test');
      app.use(sse({ hub }));
      app.use(async (req, res, next) => {
        try {
          await handler(nodeContext(req, res, options => res.sse(options)));
        } catch (error) {
          next(error);
        }
      });
      return listen(app);
    },
  };
}

export const expressMounts = [mount('Express 4', express4), mount('Express 5', express5)];
