import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { redisBroker } from '@tidings/redis';
import { sqliteBroker } from '@tidings/sqlite';
import { Redis } from 'ioredis';

// One process of the presence tests. `/ann` is a stream of ann that follows the list.

const [, , kind = '', at = ''] = process.argv;

const hub = createHub({
  broker:
    kind === 'redis' ? redisBroker({ client: new Redis(at), prefix: 'hub' }) : sqliteBroker({ file: at }),
  presence: { channel: 'here', linger: 300 },
  heartbeat: 500,
});

const server = createServer((req, res) => {
  openStream(req, res, { hub, client: req.url?.slice(1) }).subscribe('here');
});

server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
