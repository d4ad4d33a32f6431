import { existsSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { type Broker, createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import type { Outcome, Post, Removal } from './chaos-clients.ts';

/**
 * A process of the chaos tests: streams subscribe to the channels in their path, as the client in their path; what is
 * posted is published.
 *
 * @param refused a folder with a file for each client that the application has removed.
 */
export function createServer(broker: Broker, refused: string): http.Server {
  const hub = createHub({
    broker,
    onError: () => {},
    // Large enough that nothing a client may resume from is trimmed.
    channels: () => ({ history: { events: 100_000, bytes: 1e8 } }),
  });
  const publish = ({ channel, data }: Post) => outcomeOf(hub.publish(channel, data));
  return http.createServer(async (req, res) => {
    if (req.method === 'POST') {
      const body = (await json(req)) as Post[] | Removal;
      const outcome =
        'disconnect' in body
          ? outcomeOf(hub.clients.disconnect(body.disconnect).then(() => 'done'))
          : Promise.all(body.map(publish));
      res.end(JSON.stringify(await outcome));
      return;
    }
    const [, channels = '', client = ''] = (req.url ?? '').split('/');
    if (existsSync(join(refused, client))) res.writeHead(403).end();
    // A client whose connection is lost before the first id has missed everything.
    else openStream(req, res, { hub, client }).subscribe(channels.split(','), { from: 'start' });
  });
}

function outcomeOf(call: Promise<string>): Promise<Outcome> {
  return call.then(
    id => ({ id }),
    ({ code = 'none' }) => ({ code }),
  );
}
