import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Hub } from '@tidings/core';

/** A control route on node:http, for the streams of one client. */
export async function respondToControl(
  hub: Hub,
  client: string,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const { status, headers } = await hub.control({
    method: 'POST',
    header: name => req.headers[name] as string | undefined,
    client,
    body: await text(req),
  });
  res.writeHead(status, headers).end();
}
