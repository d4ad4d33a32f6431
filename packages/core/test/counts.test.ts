import { expect, it } from 'vitest';
import { createHub } from '../src/index.ts';
import { MemoryTransport } from './memory-transport.ts';

it('counts a client that disconnected before its stream neither as opened nor as closed', () => {
  const hub = createHub();
  const transport = Object.assign(new MemoryTransport(), { closed: true });
  const stream = hub.open(transport, { method: 'GET', url: '/' });
  expect(stream.signal.aborted).toBe(true);
  const { opened, closed } = hub.stats();
  expect([opened, closed]).toEqual([0, {}]);
});
