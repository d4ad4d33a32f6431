import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Connection } from '../src/connection/connection.ts';
import { ConnectionLost } from '../src/errors.ts';

/** A connection to a server that replies when the test says so. */
async function open(timeout: number) {
  const log: string[] = [];
  const pending = new Map<string, (reply: unknown) => void>();
  const connection = await Connection.open(
    async () => ({
      call: ([name = '']) => new Promise(resolve => pending.set(name, resolve)),
      subscribe: async () => {},
      unsubscribe: async () => {},
      abort: () => log.push('aborted'),
    }),
    { timeout, signal: new AbortController().signal },
    { message() {}, closed: cause => log.push(String(cause)) },
  );
  const reply = (name: string) => pending.get(name)?.(name);
  return { connection, log, reply };
}

describe('a connection', () => {
  it('times out each call by itself, and closes', async () => {
    const { connection, log, reply } = await open(100);
    const first = connection.call(['first']);
    await wait(60);
    const second = connection.call(['second']);
    const third = connection.call(['third']);
    void wait(70).then(() => log.push('not yet'));
    reply('first');
    reply('third');
    expect([await first, await third]).toEqual(['first', 'third']);
    await expect(second).rejects.toBeInstanceOf(ConnectionLost);
    expect(log).toEqual(['not yet', 'aborted', 'Error: Redis has not replied for 100 ms']);
    await expect(connection.call(['fourth'])).rejects.toBeInstanceOf(ConnectionLost);
  });

  it('times out a call that follows a while without calls', async () => {
    const { connection, log, reply } = await open(20);
    const first = connection.call(['first']);
    reply('first');
    await first;
    await wait(40);
    await expect(connection.call(['second'])).rejects.toThrow('the connection to Redis was lost');
    expect(log).toEqual(['aborted', 'Error: Redis has not replied for 20 ms']);
  });
});
