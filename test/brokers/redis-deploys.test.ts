import { readFileSync } from 'node:fs';
import { type ChannelOptions, createHub, type Page } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { request } from '../support/client.ts';
import { dataOf, resetsOf, withId } from '../support/received.ts';
import { listen } from '../support/server.ts';
import { describeWith } from '../support/system.ts';
import { FaultyProxy } from './faulty-proxy.ts';
import { draft, type StartedBroker, start } from './recorder.ts';
import { broker, clients } from './redis-clients.ts';
import { REDIS, RedisServer } from './redis-server.ts';

const keep = { events: 100, bytes: 1e6, age: 300_000, compact: false };
const compact = { ...keep, compact: true };

/** Where a process that does not compact the channel may resume from. */
const trimmedUpTo = ({ trimmedUpTo, supersededUpTo = 0 }: Page) => Math.max(trimmedUpTo, supersededUpTo);
const data = ({ entries }: Page) => entries.map(entry => entry.data);

describeWith(REDIS, 'two versions of an application on Redis', () => {
  let server: RedisServer;
  let count = 0;
  const ending: (() => unknown)[] = [];
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(async () => {
    for (const end of ending.reverse()) await end();
    await server?.remove();
  });

  async function nodeAt(url: string, prefix: string): Promise<StartedBroker> {
    const { client } = clients[0] as (typeof clients)[0];
    const node = await start(broker(client(url), prefix, { timeout: 5_000, probeInterval: 60_000 }));
    ending.push(() => node.broker.close());
    return node;
  }
  async function nodes(): Promise<{ a: StartedBroker; b: StartedBroker; proxy: FaultyProxy }> {
    count += 1;
    const proxy = await FaultyProxy.start(server.port);
    ending.push(() => proxy.close());
    return {
      a: await nodeAt(server.url, `deploy${count}`),
      b: await nodeAt(proxy.url, `deploy${count}`),
      proxy,
    };
  }

  describe('of which one compacts a channel', () => {
    it('report entries that compaction deleted to a process that does not compact', async () => {
      const { a, b } = await nodes();
      await a.publish(draft('x', '1', { keep }));
      await a.publish(draft('x', '2', { key: 'k', keep: compact }));
      expect(trimmedUpTo(await b.broker.read('x', 0, 99))).toBe(0);
      await a.publish(
        draft('x', '3', { key: 'k', keep: compact }),
        draft('x', '4', { key: 'l', keep: compact }),
      );
      const page = await b.broker.read('x', 1, 99);
      expect(data(page)).toEqual(['3', '4']);
      // For a process that compacts, nothing is missing.
      expect(page.trimmedUpTo).toBe(1);
      expect(trimmedUpTo(page)).toBe(2);
    });

    it('trim up to the entries that compaction deleted once the channel is no longer compacted, and retain the state', async () => {
      const { a } = await nodes();
      const set = (data: string, key: string) => draft('x', data, { key, keep: compact });
      await a.publish(set('1', 'a'), set('2', 'b'), set('3', 'a'), set('4', 'c'));
      await a.publish(draft('x', '5', { keep }));
      expect(await a.broker.read('x', 0, 99)).toMatchObject({ trimmedUpTo: 1 });
      // And back, and forth.
      await a.publish(set('6', 'b'), set('7', 'b'));
      expect(data(await a.broker.read('x', 0, 99))).toEqual(['2', '3', '4', '5', '7']);
      await a.publish(draft('x', '8', { keep }));
      const page = await a.broker.read('x', 0, 99);
      expect(page.trimmedUpTo).toBe(6);
      expect(data(page)).toEqual(['2', '3', '4', '5', '7', '8']);
      expect(data(await a.broker.read('x', 6, 99))).toEqual(['7', '8']);
      // Entries of both kinds are trimmed by the bounds.
      await a.publish(draft('x', '9', { key: 'b', keep: { ...compact, events: 2 } }));
      expect(data(await a.broker.read('x', 0, 99))).toEqual(['8', '9']);
    });

    it('report to a reconnected process that compaction deleted the entries that it missed', async () => {
      const { a, b, proxy } = await nodes();
      await b.broker.open(new Map([['x', 0]]));
      const set = (data: string) => draft('x', data, { key: 'k', keep: compact });
      await a.publish(set('1'));
      await b.sink.until(() => b.sink.list.length === 1);
      proxy.stall();
      await a.publish(set('2'), set('3'));
      proxy.cut();
      proxy.resume();
      await b.sink.until(() => b.sink.list.length === 2);
      expect(b.sink.log).toEqual(['x 1', 'lost x', 'x 3']);
      expect(b.sink.compactions).toEqual([true]);
    });
  });

  it('reset a client that resumes where the other version has compacted', async () => {
    count += 1;
    const { client } = clients[0] as (typeof clients)[0];
    const hubOf = (options: ChannelOptions) => {
      const redis = broker(client(server.url), `deploy${count}`);
      const hub = createHub({ broker: redis, channels: () => options, onError: () => {} });
      ending.push(() => hub.close({ within: 0 }));
      return hub;
    };
    const [old, next] = [hubOf({}), hubOf({ compact: true })];
    const id = await old.publish('x', 1, { key: 'a' });
    for (const value of [2, 3]) await next.publish('x', value, { key: 'b' });
    const at = await listen((req, res) => {
      openStream(req, res, { hub: req.url === '/old' ? old : next }).subscribe('x');
    });
    ending.push(() => at.kill());
    const received = async (path: string) => {
      const each = await request(at.origin, path, withId(id));
      await each.until(current => dataOf(current).includes('3'));
      each.reset();
      return [resetsOf(each).length, dataOf(each)];
    };
    expect(await received('/next')).toEqual([0, ['3']]);
    expect(await received('/old')).toEqual([1, ['3']]);
  });

  describe('of which one has the scripts of the last release', () => {
    interface Fixture {
      format: string;
      append: string;
      read: string;
    }
    const folder = new URL('fixtures/scripts/', import.meta.url);
    const fixture: Fixture = {
      format: readFileSync(new URL('format.txt', folder), 'utf8').trim(),
      append: readFileSync(new URL('append.lua', folder), 'utf8'),
      read: readFileSync(new URL('read.lua', folder), 'utf8'),
    };

    /** A process of that release, as far as Redis sees one. */
    async function release(prefix: string, epoch: string) {
      const client = createClient({ url: server.url });
      await client.connect();
      ending.push(() => client.destroy());
      const run = (script: string, ...args: string[]) =>
        client.eval(script, { keys: [`{${prefix}}:hub`], arguments: args }) as Promise<string[]>;
      const common = [epoch, 'never', '0', '0', 'PUBLISH', 'old', '1', 'x'];
      return {
        version: () => client.hGet(`{${prefix}}:hub`, 'version'),
        publish: (number: number, text: string) => {
          const entry = `e\n${text}`;
          return run(
            fixture.append,
            ...common,
            `${number}`,
            '1',
            '100 1000000 300000 0',
            '300000',
            '1',
            'e',
            `${entry.length}`,
            entry,
          );
        },
        read: (after: number) => run(fixture.read, ...common, '', '', '1000000', '1000', '', 'a', `${after}`),
      };
    }

    it('work together, or refuse the older one with its version', async () => {
      const { a, b } = await nodes();
      await b.broker.open(new Map([['x', 0]]));
      await a.publish(draft('x', 'of this version', { keep }));
      const old = await release(`deploy${count}`, a.epoch);
      const version = await old.version();
      if (version !== fixture.format) {
        await expect(old.publish(1, 'refused')).rejects.toThrow(`VERSION ${version}`);
        await expect(old.read(0)).rejects.toThrow(`VERSION ${version}`);
        return;
      }
      expect((await old.publish(1, 'of the release'))[4]).toBe('2 ');
      await a.publish(draft('x', 'of this version again', { keep }));
      const expected = ['of this version', 'of the release', 'of this version again'];
      await b.sink.until(() => b.sink.list.length === 3);
      expect(b.sink.data('x')).toEqual(expected);
      expect(data(await b.broker.read('x', 0, 99))).toEqual(expected);
      const page = (await old.read(0))[5] as unknown as [
        string,
        string,
        string,
        string,
        string,
        [string, string[]][],
      ];
      expect(page.slice(0, 5)).toEqual(['0', '3', '', '0', '0']);
      expect(page[5].map(([, fields]) => fields[1])).toEqual(expected.map(text => `e\n${text}`));
    });
  });
});
