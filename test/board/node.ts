import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { redisBroker } from '@tidings/redis';
import { Redis } from 'ioredis';
import { startBoard } from './app.ts';
import { Store } from './store.ts';

// One process of the board.

const redis = new Redis(process.argv[2] ?? '');

/** An import that never ends. */
async function* work(): AsyncIterable<number> {
  for (let rows = 1; ; rows++) {
    yield rows;
    await pause(5);
  }
}

const server = startBoard({
  broker: redisBroker({ client: redis.duplicate(), prefix: 'hub' }),
  store: new Store(redis),
  work,
  linger: 1_000,
});
server.on('listening', () => process.send?.((server.address() as AddressInfo).port));
