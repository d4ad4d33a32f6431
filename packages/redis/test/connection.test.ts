import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Connection, ConnectionLost } from '../src/connection.ts';

/** A connection to a server that answers what a test has it answer. */
async function open(timeout: number) {
  const log: string[] = [];
  const answers = new Map<string, (answer: unknown) => void>();
  const connection = await Connection.open(
    async () => ({
      call: ([name = '']) => new Promise(resolve => answers.set(name, resolve)),
      subscribe: async () => {},
      unsubscribe: async () => {},
      cut: () => log.push('cut'),
    }),
    { timeout, signal: new AbortController().signal },
    { message() {}, closed: cause => log.push(String(cause)) },
  );
  const answer = (name: string) => answers.get(name)?.(name);
  return { connection, log, answer };
}

describe('a connection', () => {
  it('gives each call its own time, and is cut when one is late', async () => {
    const { connection, log, answer } = await open(100);
    const first = connection.call(['first']);
    await wait(60);
    const second = connection.call(['second']);
    const third = connection.call(['third']);
    void wait(70).then(() => log.push('had time'));
    answer('first');
    answer('third');
    expect([await first, await third]).toEqual(['first', 'third']);
    await expect(second).rejects.toBeInstanceOf(ConnectionLost);
    expect(log).toEqual(['had time', 'cut', 'Error: Redis has not answered for 100 ms']);
    await expect(connection.call(['fourth'])).rejects.toBeInstanceOf(ConnectionLost);
  });

  it('looks again after a while without calls', async () => {
    const { connection, log, answer } = await open(20);
    const first = connection.call(['first']);
    answer('first');
    await first;
    await wait(40);
    await expect(connection.call(['second'])).rejects.toThrow('the connection to Redis is gone');
    expect(log).toEqual(['cut', 'Error: Redis has not answered for 20 ms']);
  });
});
