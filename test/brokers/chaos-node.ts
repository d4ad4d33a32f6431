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

/** The result of one of them. */
export interface Outcome {
  id?: string;
  code?: string;
}

const [url = '', name] = process.argv.slice(2);
const redis = current.find(each => each.name === name);
if (redis === undefined) throw new Error(`no such client: ${name}`);

const hub = createHub({
  broker: broker(redis.client(url), 'chaos'),
  onError: () => {},
  // Large enough that nothing a client may resume from is trimmed.
  channels: () => ({ history: { events: 100_000, bytes: 1e8 } }),
});

const server = http.createServer(async (req, res) => {
  if (req.method !== 'POST') {
    const channels = (req.url ?? '').slice(1).split(',');
    // A client whose connection is lost before the first id has missed everything.
    openStream(req, res, { hub }).subscribe(channels, { from: 'start' });
    return;
  }
  const posts = (await json(req)) as Post[];
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
