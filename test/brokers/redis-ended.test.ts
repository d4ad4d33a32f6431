import { createHub, type Hub, type HubOptions } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { describe, expect, it } from 'vitest';
import { request } from '../support/client.ts';
import { dataOf } from '../support/received.ts';
import { listen } from '../support/server.ts';
import { describeWith } from '../support/system.ts';
import { broker, current } from './redis-clients.ts';
import { REDIS, type RedisServer } from './redis-server.ts';
import { codeOf, setUp } from './redis-setup.ts';

/** Has Redis forget what it would forget in so many ms. */
function passTime(server: RedisServer, ms: number): void {
  for (const key of server.cli('--scan').split('\n')) {
    const left = Number(server.cli('PTTL', key));
    if (left >= 0 && left <= ms) server.cli('PEXPIRE', key, '1');
  }
}

describeWith(REDIS, 'the end of a channel', () => {
  describe.each(current)('$name', ({ client }) => {
    const { atEnd, redis } = setUp(client);

    function hubOn(server: RedisServer, options: HubOptions): Hub {
      const hub = createHub({ broker: broker(client(server.url), 'hub'), onError: () => {}, ...options });
      atEnd(() => hub.close({ within: 0 }));
      return hub;
    }

    /** A process that follows the ended channel on a stream of two, and one that has never heard of it. */
    async function ended(server: RedisServer, options: HubOptions) {
      const [a, b] = [hubOn(server, options), hubOn(server, options)];
      const at = await listen((req, res) => {
        openStream(req, res, { hub: a }).subscribe(['x', 'y']);
      });
      atEnd(() => at.kill());
      const stream = await request(at.origin, '/');
      await stream.until(({ events }) => events.length > 0);
      await a.publish('x', 'last');
      await stream.until(each => dataOf(each).includes('last'));
      await a.channel('x').end();
      await b.position();
      return { a, b, stream };
    }

    it.each<HubOptions>([{ history: false }, { history: { age: 1_000 } }])(
      'is the same for all processes 70 s later, with %j',
      async options => {
        const server = await redis();
        const { a, b, stream } = await ended(server, options);
        passTime(server, 70_000);
        const codes = [await codeOf(b.publish('x', 'more')), await codeOf(a.publish('x', 'more'))];
        expect(new Set(codes).size).toBe(1);
        await b.publish('y', 'live');
        await stream.until(each => dataOf(each).includes('live'));
        // What no process may publish, no stream gets.
        expect(dataOf(stream).filter(data => data === 'more')).toHaveLength(codes[0] === 'done' ? 2 : 0);
      },
    );

    it('and the state of the channel is, too', async () => {
      const server = await redis();
      const { a, b } = await ended(server, { history: false });
      for (const ms of [0, 70_000]) {
        passTime(server, ms);
        const states = await Promise.all([a, b].map(hub => hub.channel('x').state()));
        expect(states[0]).toBe(states[1]);
      }
    });

    it('is over for all processes when the channel begins again', async () => {
      const server = await redis();
      const { a, b, stream } = await ended(server, {});
      await b.channel('x').begin();
      await b.publish('x', 'new b');
      await a.publish('x', 'new a');
      await stream.until(each => dataOf(each).includes('new a'));
      expect(dataOf(stream)).toEqual(['last', 'new b', 'new a']);
    });
  });
});
