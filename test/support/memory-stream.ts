import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { createHub, type Hub, type HubOptions, type StreamOptions } from '@tidings/core';
import { expect } from 'vitest';
import { MemoryTransport } from '../../packages/core/test/memory-transport.ts';

/** A stream whose peer is this process, and what it has been given. */
export function open(hub: Hub, lastEventId?: string, options?: StreamOptions, method = 'GET') {
  const transport = new MemoryTransport();
  const stream = hub.open(transport, { method, url: '/', lastEventId }, options);
  const data = () => [...transport.text.matchAll(/data: (.+)/g)].map(match => match[1]);
  const lastId = () => [...transport.text.matchAll(/id: (\S+)/g)].at(-1)?.[1];
  return { stream, transport, data, lastId };
}

/** Opens a stream with subscriptions. Resolves once its client has an id. */
export async function follow(
  hub: Hub,
  channels: string | string[],
  lastEventId?: string,
  options?: StreamOptions,
) {
  const opened = open(hub, lastEventId, options);
  opened.stream.subscribe(channels);
  await until(() => opened.lastId() !== undefined);
  return opened;
}

export const quietHub = (options: HubOptions = {}) => createHub({ heartbeat: false, ...options });

/** Ms, and then enough turns for everything that was due: on a busy machine all that time may be one turn. */
export async function wait(ms: number): Promise<void> {
  await delay(ms);
  for (let turns = 0; turns < 20; turns++) await turn();
}

/** As long as that takes, within reason. */
export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await wait(5);
  expect(condition()).toBe(true);
}
