import { setImmediate as turn } from 'node:timers/promises';
import type { Hub } from '@tidings/core';
import { MemoryTransport } from '../../core/test/memory-transport.ts';

/** A stream whose client is this process. */
export function open(hub: Hub, client: string, lastEventId?: string) {
  const transport = new MemoryTransport();
  return { transport, stream: hub.open(transport, { method: 'GET', url: '/', lastEventId }, { client }) };
}

/** Long enough for what was published to be delivered. */
export async function turns(count = 8): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}
