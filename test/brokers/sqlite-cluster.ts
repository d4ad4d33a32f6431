// A server of several processes (node:cluster) on one SQLite file. Each may be killed, and is replaced. Streams subscribe
// to the channels in their path; posted events are published.
import cluster from 'node:cluster';
import { once } from 'node:events';
import http from 'node:http';
import { json } from 'node:stream/consumers';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { sqliteBroker } from '@tidings/sqlite';
import type { Outcome, Post } from './chaos-clients.ts';

const WORKERS = 4;
const [file = ''] = process.argv.slice(2);

if (cluster.isPrimary) {
  // Workers accept connections themselves. One that the primary has handed to a worker that is killed would stay open,
  // with nobody at the other end.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const fork = () => cluster.fork();
  const workers = Array.from({ length: WORKERS }, fork);
  // Of node:cluster, all workers that listen on port 0 share one.
  const listening = await Promise.all(workers.map(worker => once(worker, 'listening')));
  const [[{ port }]] = listening as [[{ port: number }]];
  cluster.on('exit', fork);
  // Kills one, and answers when another one is there.
  process.on('message', async () => {
    const running = Object.values(cluster.workers ?? {}).filter(worker => worker?.isConnected());
    running[Math.floor(Math.random() * running.length)]?.process.kill('SIGKILL');
    await once(cluster, 'listening');
    process.send?.(true);
  });
  process.send?.(port);
  process.on('disconnect', () => {
    cluster.removeListener('exit', fork);
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL');
    process.exit();
  });
} else {
  const hub = createHub({
    broker: sqliteBroker({ file }),
    onError: () => {},
    // Large enough that nothing a client may resume from is trimmed.
    channels: () => ({ history: { events: 100_000, bytes: 1e8 } }),
  });
  http
    .createServer(async (req, res) => {
      if (req.method !== 'POST') {
        const channels = (req.url ?? '').slice(1).split(',');
        // A client whose connection is lost before the first id has missed everything.
        openStream(req, res, { hub }).subscribe(channels, { from: 'start' });
        return;
      }
      const posts = (await json(req)) as Post[];
      const publish = ({ channel, data }: Post): Promise<Outcome> =>
        hub.publish(channel, data).then(
          id => ({ id }),
          ({ code = 'none' }) => ({ code }),
        );
      res.end(JSON.stringify(await Promise.all(posts.map(publish))));
    })
    .listen(0, '127.0.0.1');
}
