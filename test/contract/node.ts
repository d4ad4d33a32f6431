import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { text } from 'node:stream/consumers';
import { openStream } from '@tidings/core/node';
import { native } from '@tidings/native';
import { listen } from '../support/server.ts';
import type { Context, Handler, Mount } from './mount.ts';

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** The context for everything that leaves the response to node:http; `open` is how it opens a stream there. */
export function nodeContext(req: Request, res: Response, open: NodeOpen): Context {
  return {
    stream: (use, options) => use(open(options)),
    answer(status, body) {
      res.statusCode = status;
      (res as ServerResponse).end(body);
    },
    setHeader: (name, value) => res.setHeader(name, value),
    appendHeader: (name, value) => (res as ServerResponse).appendHeader(name, value),
    readBody: () => text(req),
  };
}

type NodeOpen = (options?: Parameters<Context['stream']>[1]) => ReturnType<typeof openStream>;

async function handle(handler: Handler, context: Context, res: Response): Promise<void> {
  try {
    await handler(context);
  } catch (error) {
    if (res.headersSent) res.destroy();
    else context.answer(500, String(error));
  }
}

export const nodeHttp: Mount = {
  name: 'node:http',
  serve: (hub, handler) =>
    listen((req: IncomingMessage, res: ServerResponse) => {
      const open: NodeOpen = options => openStream(req, res, { ...options, hub });
      handle(handler, nodeContext(req, res, open), res);
    }),
};

/** Where there is no compiler, there is no binary, and the addon is not tested. */
const fanOut = native();
export const nodeHttpNative: Mount[] =
  fanOut === undefined ? [] : [{ ...nodeHttp, name: 'node:http with @tidings/native', hub: { fanOut } }];

export const nodeHttp2: Mount = {
  name: 'node:http2',
  http2: true,
  serve: (hub, handler) =>
    listen(
      (req: Http2ServerRequest, res: Http2ServerResponse) => {
        const open: NodeOpen = options => openStream(req, res, { ...options, hub });
        handle(handler, nodeContext(req, res, open), res);
      },
      { http2: true },
    ),
};
