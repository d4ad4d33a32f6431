// Another process of the hub that the inspector shows, with streams of its own. Answers each message with its stats.
import { createHub } from '@tidings/core';
import { createClient } from 'redis';
import { MemoryTransport } from '../../packages/core/test/memory-transport.ts';
import { broker } from '../brokers/redis-clients.ts';

const [url = '', streams = '0'] = process.argv.slice(2);
const hub = createHub({ broker: broker(createClient({ url }), 'inspected'), onError: () => {} });
for (let i = 0; i < Number(streams); i++) {
  hub.open(new MemoryTransport(), { method: 'GET', url: '/' }, { client: `far ${i}` }).subscribe('news');
}
await hub.ready();
process.send?.(0);
process.on('message', () => process.send?.(hub.stats()));
process.on('disconnect', () => process.exit());
