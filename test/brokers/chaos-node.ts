// One process of a hub on Redis.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from './chaos-server.ts';
import { broker, current } from './redis-clients.ts';

const [url = '', name, refused = ''] = process.argv.slice(2);
const redis = current.find(each => each.name === name);
if (redis === undefined) throw new Error(`no such client: ${name}`);

const server = createServer(broker(redis.client(url), 'chaos'), refused);
await once(server.listen(0, '127.0.0.1'), 'listening');
process.send?.((server.address() as AddressInfo).port);
process.on('disconnect', () => process.exit());
