// A server of several processes (node:cluster) on one SQLite file. Each may be killed, and is replaced.
import cluster from 'node:cluster';
import { once } from 'node:events';
import { sqliteBroker } from '@tidings/sqlite';
import { createServer } from './chaos-server.ts';

const WORKERS = 4;
const [file = '', refused = ''] = process.argv.slice(2);

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
  createServer(sqliteBroker({ file }), refused).listen(0, '127.0.0.1');
}
