// One process: streams subscribe to the channels in their path; posted events are published.
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { broker, current } from './redis-clients.ts';

export interface Post {
  channel: string;
  data: number;
}

/** Asks to disconnect a client. From now on, this process refuses it. */
export interface Removal {
  disconnect: string;
}

/** The result of one of them. */
export interface Outcome {
  id?: string;
  code?: string;
}

const [url = '', name, ...removed] = process.argv.slice(2);
const redis = current.find(each => each.name === name);
if (redis === undefined) throw new Error(`no such client: ${name}`);

const hub = createHub({
  broker: broker(redis.client(url), 'chaos'),
  onError: () => {},
  // Large enough that nothing a client may resume from is trimmed.
  channels: () => ({ history: { events: 100_000, bytes: 1e8 } }),
});

/** The clients that the application has removed, as it would find them in its database. */
const refused = new Set(removed);

const server = http.createServer(async (req, res) => {
  if (req.method !== 'POST') {
    const [, channels = '', client = ''] = (req.url ?? '').split('/');
    if (refused.has(client)) {
      res.writeHead(403).end();
      return;
    }
    // A client whose connection is lost before the first id has missed everything.
    openStream(req, res, { hub, client }).subscribe(channels.split(','), { from: 'start' });
    return;
  }
  const posts = (await json(req)) as Post[] | Removal;
  if ('disconnect' in posts) {
    refused.add(posts.disconnect);
    const done = req.url === '/refuse' ? Promise.resolve() : hub.clients.disconnect(posts.disconnect);
    res.end(JSON.stringify(await done.then(() => ({ id: 'done' }), toFailure)));
    return;
  }
  const outcomes = posts.map(({ channel, data }) => hub.publish(channel, data).then(toOutcome, toFailure));
  res.end(JSON.stringify(await Promise.all(outcomes)));
});

await once(server.listen(0, '127.0.0.1'), 'listening');
process.send?.((server.address() as AddressInfo).port);
process.on('disconnect', () => process.exit());

function toOutcome(id: string): Outcome {
  return { id };
}

function toFailure({ code }: { code?: string }): Outcome {
  return { code: code ?? 'none' };
}
