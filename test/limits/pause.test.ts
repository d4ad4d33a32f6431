import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Child, start } from '../support/child.ts';
import { type Client, request } from '../support/client.ts';

// A pause of the process is not the client's: what the client was ready to take had nobody to hand it over.

describe('a slow stream', () => {
  let server: Child;
  beforeAll(async () => {
    server = await start(new URL('paused-server.ts', import.meta.url));
  });
  afterAll(() => server.kill('SIGKILL'));

  /** A client that has stopped to read, and how many events it was sent. */
  async function laggard(): Promise<{ client: Client; sent: number }> {
    const client = await request(server.origin, '/');
    client.stall();
    return { client, sent: await server.ask<number>('fill') };
  }

  /** The client reads again, and has everything. */
  async function hasAll(client: Client, sent: number): Promise<void> {
    await server.ask('send');
    await client.until(({ events }) => events.at(-1)?.data === 'last');
    expect(client.events.filter(({ event }) => event === undefined)).toHaveLength(sent + 1);
    expect(await server.ask('reason')).toBeNull();
    client.reset();
  }

  it('is not closed as stalled when the process was stopped', async () => {
    const { client, sent } = await laggard();
    process.kill(server.pid, 'SIGSTOP');
    // Three times as long as a stream may stall. What has left the process meanwhile is read.
    client.resume();
    await delay(1_500);
    process.kill(server.pid, 'SIGCONT');
    await hasAll(client, sent);
  });

  it('is not closed as stalled when the event loop was held', async () => {
    const { client, sent } = await laggard();
    const held = server.ask('block', 1_500);
    // It does not say when it begins; what the client read before would be handed over at once.
    await delay(300);
    client.resume();
    await held;
    await hasAll(client, sent);
  });

  it('is not closed as stalled when the process is stopped again and again', async () => {
    const { client, sent } = await laggard();
    for (let pauses = 0; pauses < 3; pauses++) {
      process.kill(server.pid, 'SIGSTOP');
      await delay(800);
      process.kill(server.pid, 'SIGCONT');
      expect(await server.ask('reason')).toBeNull();
    }
    client.resume();
    await hasAll(client, sent);
  });

  it('is closed as stalled when the process runs, and its client does not read', async () => {
    const { client } = await laggard();
    process.kill(server.pid, 'SIGSTOP');
    await delay(800);
    process.kill(server.pid, 'SIGCONT');
    expect(['stalled', 'slow']).toContain(await server.ask('closed'));
    client.reset();
  });
});
