import { setImmediate as turn } from 'node:timers/promises';
import { type Broker, createHub, type Page, type TidingsError } from '@tidings/core';
import { afterEach, describe, expect, it } from 'vitest';
import { open, until } from '../support/memory-stream.ts';
import { leaseContract } from './lease-contract.ts';
import { draft, type StartedBroker, start } from './recorder.ts';

export interface BrokerMount {
  name: string;
  /** Default: true. */
  hasLeases?: boolean;
  /** A broker for one more process, on the log of this name. */
  broker(log: string): Broker | Promise<Broker>;
}

const soon = () => AbortSignal.timeout(5_000);
const data = (page: Page | undefined) => page?.entries.map(entry => entry.data);
const keep = { events: 256, bytes: 1024 * 1024, age: 300_000, compact: false };

let logs = 0;

/** Declares the tests of the contract in core's `broker.ts`. The test file of each broker mounts them. */
export function brokerContract({ name, broker, hasLeases = true }: BrokerMount): void {
  describe(`the broker contract · ${name}`, () => {
    const nodes: StartedBroker[] = [];
    afterEach(async () => {
      for (const node of nodes.splice(0)) await node.broker.close();
    });

    /** The brokers of several processes of one hub. */
    async function startAll(count = 1): Promise<StartedBroker[]> {
      logs += 1;
      const log = `${process.pid}-${logs}`;
      const started: StartedBroker[] = [];
      for (let index = 0; index < count; index++) started.push(await start(await broker(log)));
      nodes.push(...started);
      return started;
    }
    async function one(): Promise<StartedBroker> {
      return (await startAll())[0] as StartedBroker;
    }
    async function two(): Promise<[StartedBroker, StartedBroker]> {
      return (await startAll(2)) as [StartedBroker, StartedBroker];
    }

    if (hasLeases) leaseContract(two);

    it('starts at 0, in an epoch that all processes share', async () => {
      const [a, b] = await two();
      expect(a.epoch).toMatch(/^[0-9a-z]{1,40}$/);
      expect(b).toMatchObject({ epoch: a.epoch, head: 0 });
    });

    it('assigns ascending positions, and delivers the entries of open channels to every process', async () => {
      const [a, b] = await two();
      await a.broker.open(new Map([['x', 0]]));
      await b.broker.open(
        new Map([
          ['x', 0],
          ['y', 0],
        ]),
      );
      const positions = [
        ...(await a.publish(draft('x', '1'), draft('y', '2'), draft('x', '3'))),
        ...(await b.publish(draft('y', '4'), draft('z', '5'), draft('x', '6'))),
      ];
      expect(positions).toEqual([1, 2, 3, 4, 5, 6]);
      await b.sink.until(() => b.sink.list.length === 5);
      expect(b.sink.log).toEqual(['x 1', 'y 2', 'x 3', 'y 4', 'x 6']);
      await a.sink.until(() => a.sink.list.length === 3);
      expect(a.sink.log).toEqual(['x 1', 'x 3', 'x 6']);
    });

    it('preserves every field of an entry', async () => {
      const [a, b] = await two();
      await b.broker.open(new Map([['ä {x}', 0]]));
      const more = { event: 'e\u2028', key: '', except: 'client "1"' };
      const text = '\uFEFFline\nline\r\n\0 "quoted" 🙂\uD800'.toWellFormed();
      await a.publish(
        draft('ä {x}', text, more),
        draft('ä {x}', ''),
        draft('ä {x}', 'null', { kind: 'gone', key: 'k', json: true }),
        draft('ä {x}', '42'),
        draft('ä {x}', '42', { json: true }),
        draft('ä {x}', '', { kind: 'control', event: '[j' }),
        draft('ä {x}', '', { kind: 'end' }),
      );
      await b.sink.until(() => b.sink.list.length === 7);
      const common = { channel: 'ä {x}', json: false };
      const expected = [
        { ...common, position: 1, kind: 'event', data: text, ...more },
        { ...common, position: 2, kind: 'event', data: '' },
        { ...common, position: 3, kind: 'gone', key: 'k', data: 'null', json: true },
        { ...common, position: 4, kind: 'event', data: '42' },
        { ...common, position: 5, kind: 'event', data: '42', json: true },
        { ...common, position: 6, kind: 'control', data: '', event: '[j' },
        { ...common, position: 7, kind: 'end', data: '' },
      ];
      expect(b.sink.list).toEqual(expected);
      const { pages } = await a.broker.open(new Map([['ä {x}', 0]]));
      const page = { entries: expected, trimmedUpTo: 0, more: false, last: 7, endedAt: 7 };
      expect(pages.get('ä {x}')).toEqual(page);
    });

    it('treats the channel of control messages like any other', async () => {
      const [a, b] = await two();
      const control = (data: string) =>
        draft('\0control', data, { kind: 'control', json: true, keep: { ...keep, events: 2 } });
      await b.broker.open(new Map([['\0control', 0]]));
      await a.publish(control('1'), draft('x', ''), control('2'), control('3'));
      await b.sink.until(() => b.sink.list.length === 3);
      expect(b.sink.list.map(({ channel, kind }) => [channel, kind])).toEqual(
        Array(3).fill(['\0control', 'control']),
      );
      expect(b.sink.data('\0control')).toEqual(['1', '2', '3']);
      const page = await a.broker.read('\0control', 0, 9);
      expect(page).toMatchObject({ trimmedUpTo: 1, last: 4 });
      expect(data(page)).toEqual(['2', '3']);
      expect(await a.broker.state('\0control')).toEqual({ state: 'open', last: 4 });
    });

    it('reads after a position, the last events, and nothing of an unknown channel', async () => {
      const node = await one();
      for (let index = 1; index <= 5; index++) await node.publish(draft('x', `${index}`));
      const open = async (reach: number | { last: number }) => {
        const { head, pages } = await node.broker.open(new Map([['x', reach]]));
        expect(head).toBe(5);
        return pages.get('x');
      };
      expect(await open(0)).toMatchObject({ trimmedUpTo: 0, more: false });
      expect(data(await open(0))).toEqual(['1', '2', '3', '4', '5']);
      expect(await open(3)).toMatchObject({ trimmedUpTo: 3 });
      expect(data(await open(3))).toEqual(['4', '5']);
      expect(data(await open(5))).toEqual([]);
      expect(await open({ last: 2 })).toMatchObject({ trimmedUpTo: 3 });
      expect(data(await open({ last: 2 }))).toEqual(['4', '5']);
      expect(await open({ last: 9 })).toMatchObject({ trimmedUpTo: 0 });
      expect(data(await open({ last: 9 }))).toEqual(['1', '2', '3', '4', '5']);
      expect(data(await open({ last: 0 }))).toEqual([]);
      const { pages } = await node.broker.open(new Map([['never', 0]]));
      expect(pages.get('never')).toEqual({ entries: [], trimmedUpTo: 0, more: false });
      expect(data(await node.broker.read('x', 1, 3))).toEqual(['2', '3']);
    });

    it('does not count an end among the last events', async () => {
      const node = await one();
      await node.publish(draft('x', '1'), draft('x', '2'), draft('x', '', { kind: 'end' }));
      const { pages } = await node.broker.open(new Map([['x', { last: 1 }]]));
      expect(pages.get('x')).toMatchObject({ trimmedUpTo: 1, endedAt: 3 });
      expect(data(pages.get('x'))).toEqual(['2', '']);
    });

    it('trims to a number of events, and returns the position up to which it trimmed', async () => {
      const node = await one();
      const few = { keep: { ...keep, events: 3 } };
      for (let index = 1; index <= 5; index++) await node.publish(draft('x', `${index}`, few));
      const { pages } = await node.broker.open(new Map([['x', 0]]));
      expect(pages.get('x')).toMatchObject({ trimmedUpTo: 2 });
      expect(data(pages.get('x'))).toEqual(['3', '4', '5']);
      expect(await node.broker.read('x', 1, 5)).toMatchObject({ trimmedUpTo: 2 });
      await node.publish(...Array.from({ length: 10 }, (_, index) => draft('x', `${index + 6}`, few)));
      expect(data(await node.broker.read('x', 0, 15))).toEqual(['13', '14', '15']);
    });

    it('trims to a number of bytes', async () => {
      const node = await one();
      const small = { keep: { ...keep, bytes: 10_000 } };
      for (let index = 1; index <= 10; index++) await node.publish(draft('x', 'x'.repeat(3_000), small));
      const page = await node.broker.read('x', 0, 10);
      expect(page.trimmedUpTo).toBe(7);
      expect(page.entries).toHaveLength(3);
    });

    it('trims each event at its age', async () => {
      const node = await one();
      const short = { keep: { ...keep, age: 300 } };
      await node.publish(draft('x', '1', short), draft('y', '2', short));
      await new Promise(resolve => setTimeout(resolve, 400));
      expect(await node.broker.read('x', 0, 9)).toEqual({
        entries: [],
        trimmedUpTo: 1,
        more: false,
        last: 1,
      });
      await node.publish(draft('x', '3', short));
      expect(await node.broker.read('x', 0, 9)).toMatchObject({ trimmedUpTo: 1 });
      expect(data(await node.broker.read('x', 0, 9))).toEqual(['3']);
      expect(await node.broker.read('y', 0, 9)).toEqual({
        entries: [],
        trimmedUpTo: 2,
        more: false,
        last: 2,
      });
    });

    it('retains nothing of a channel without history, and delivers its events', async () => {
      const node = await one();
      const none = { keep: { events: 0, bytes: 0, age: 0, compact: false } };
      await node.broker.open(new Map([['x', 0]]));
      await node.publish(draft('x', '1', none), draft('x', '2', none));
      await node.sink.until(() => node.sink.list.length === 2);
      expect(await node.broker.read('x', 0, 2)).toEqual({
        entries: [],
        trimmedUpTo: 2,
        more: false,
        last: 2,
      });
      await node.publish(draft('x', '', { kind: 'end', ...none }));
      expect(await node.broker.read('x', 0, 3)).toMatchObject({ endedAt: 3, trimmedUpTo: 2 });
      const { results } = await node.broker.publish([draft('x', '', none)], soon());
      expect(results[0]).toMatchObject({ code: 'ended' });
    });

    it('refuses everything after an end, and nothing else', async () => {
      const [a, b] = await two();
      await b.broker.open(new Map([['x', 0]]));
      await a.publish(draft('x', '1'));
      const { epoch, results } = await a.broker.publish(
        [draft('x', '', { kind: 'end' }), draft('x', '2'), draft('y', '3'), draft('x', '', { kind: 'end' })],
        soon(),
      );
      expect(epoch).toBe(a.epoch);
      expect(results.map(result => (typeof result === 'number' ? result : result.code))).toEqual([
        2,
        'ended',
        3,
        'ended',
      ]);
      const { results: refused } = await b.broker.publish([draft('x', '4')], soon());
      expect((refused[0] as TidingsError).message).toMatch(/"x" has ended/);
      expect(await b.broker.head()).toEqual({ epoch: b.epoch, head: 3 });
    });

    describe('begin', () => {
      const end = (channel = 'x', more = {}) => draft(channel, '', { kind: 'end', ...more });
      const begin = (channel = 'x', more = {}) => draft(channel, '', { kind: 'begin', ...more });

      it('reopens an ended channel, without its previous entries', async () => {
        const [a, b] = await two();
        await b.broker.open(new Map([['x', 0]]));
        await a.publish(draft('x', '1'), draft('y', '2'), end());
        expect(await b.publish(begin(), draft('x', '5'))).toEqual([4, 5]);
        await b.sink.until(() => b.sink.list.length === 4);
        expect(b.sink.list.map(({ kind }) => kind)).toEqual(['event', 'end', 'begin', 'event']);
        for (const page of [
          await a.broker.read('x', 0, 9),
          (await a.broker.open(new Map([['x', 0]]))).pages.get('x'),
        ]) {
          expect(page).toMatchObject({ trimmedUpTo: 3, more: false, last: 5 });
          expect(page?.endedAt).toBe(undefined);
          expect(page?.entries.map(({ kind }) => kind)).toEqual(['begin', 'event']);
        }
        // A client that was there at the end lacks nothing.
        expect(await a.broker.read('x', 3, 9)).toMatchObject({ trimmedUpTo: 3 });
        expect(await a.publish(draft('x', '6'))).toEqual([6]);
      });

      it('stores nothing in a channel that has not ended', async () => {
        const node = await one();
        expect(await node.publish(begin())).toEqual([0]);
        expect(await node.publish(draft('x', '1'), begin(), draft('y', '2'))).toEqual([1, 1, 2]);
        expect(await node.publish(begin('never'), begin(), begin('y'))).toEqual([2, 1, 2]);
        expect(await node.broker.head()).toMatchObject({ head: 2 });
        expect(data(await node.broker.read('x', 0, 9))).toEqual(['1']);
        expect(await node.broker.state('never')).toEqual({ state: 'unknown', last: 0 });
      });

      it('works in one batch with the end before it and the events after it', async () => {
        const [a, b] = await two();
        await b.broker.open(new Map([['x', 0]]));
        await a.publish(draft('x', '1'));
        const { results } = await a.broker.publish(
          [
            draft('x', '2'),
            end(),
            draft('x', 'refused'),
            begin(),
            begin(),
            draft('x', '5'),
            draft('y', '6'),
            end(),
            begin(),
            draft('x', '9'),
          ],
          soon(),
        );
        const outcomes = results.map(result => (typeof result === 'number' ? result : result.code));
        expect(outcomes).toEqual([2, 3, 'ended', 4, 4, 5, 6, 7, 8, 9]);
        await b.sink.until(() => b.sink.list.length === 8);
        expect(b.sink.list.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5, 7, 8, 9]);
        const page = await a.broker.read('x', 0, 9);
        expect(page).toMatchObject({ trimmedUpTo: 7, last: 9 });
        expect(page.entries.map(({ position }) => position)).toEqual([8, 9]);
        expect(await b.broker.state('x')).toEqual({ state: 'open', last: 9 });
        expect(b.sink.lostChannels).toEqual([]);
      });

      it('drops the keys of a compacted channel', async () => {
        const node = await one();
        const compact = { keep: { ...keep, compact: true } };
        const set = (key: string, value: string) => draft('x', value, { key, ...compact });
        await node.publish(
          set('a', '1'),
          set('b', '2'),
          end('x', compact),
          begin('x', compact),
          set('a', '5'),
        );
        await node.publish(set('a', '6'), set('c', '7'));
        const page = await node.broker.read('x', 0, 9);
        expect(page).toMatchObject({ trimmedUpTo: 3 });
        expect(data(page)).toEqual(['', '6', '7']);
      });

      it('is not counted among the events, and is trimmed with the first of them', async () => {
        const node = await one();
        const few = { keep: { ...keep, events: 2 } };
        await node.publish(end('x', few), begin('x', few), draft('x', '3', few), draft('x', '4', few));
        const page = await node.broker.read('x', 0, 9);
        expect(page).toMatchObject({ trimmedUpTo: 1 });
        expect(data(page)).toEqual(['', '3', '4']);
        const { pages } = await node.broker.open(new Map([['x', { last: 2 }]]));
        expect(data(pages.get('x'))?.slice(-2)).toEqual(['3', '4']);
        await node.publish(draft('x', '5', few));
        expect(await node.broker.read('x', 0, 9)).toMatchObject({ trimmedUpTo: 3 });
        expect(data(await node.broker.read('x', 0, 9))).toEqual(['4', '5']);
        await node.publish(end('x', few), begin('x', few));
        expect(await node.broker.read('x', 0, 9)).toMatchObject({ trimmedUpTo: 6, last: 7 });
      });

      it('opens a channel without history', async () => {
        const [a, b] = await two();
        const none = { keep: { events: 0, bytes: 0, age: 0, compact: false } };
        await b.broker.open(new Map([['x', 0]]));
        await a.publish(draft('x', '1', none), end('x', none));
        expect(await b.publish(begin('x', none), draft('x', '4', none))).toEqual([3, 4]);
        await b.sink.until(() => b.sink.list.length === 4);
        expect(await a.broker.read('x', 0, 9)).toEqual({ entries: [], trimmedUpTo: 4, more: false, last: 4 });
        expect(await a.broker.state('x')).toEqual({ state: 'open', last: 4 });
      });
    });

    it('reads the state of a channel without its entries', async () => {
      const [a, b] = await two();
      expect(await b.broker.state('x')).toEqual({ state: 'unknown', last: 0 });
      await a.publish(draft('x', '1'), draft('y', '2'));
      expect(await b.broker.state('x')).toEqual({ state: 'open', last: 1 });
      await a.publish(draft('x', '', { kind: 'end' }));
      expect(await b.broker.state('x')).toEqual({ state: 'ended', last: 3 });
      await b.publish(draft('x', '', { kind: 'begin' }));
      expect(await a.broker.state('x')).toEqual({ state: 'open', last: 4 });
      const none = { keep: { events: 0, bytes: 0, age: 0, compact: false } };
      await a.publish(draft('z', '', none), draft('z', '', { kind: 'end', ...none }));
      expect(await b.broker.state('z')).toEqual({ state: 'ended', last: 6 });
    });

    it('reports the connection after the start, and not after the close', async () => {
      const [node] = (await startAll()) as [StartedBroker];
      await node.sink.until(() => node.sink.connections.length > 0);
      expect(node.sink.connections).toEqual([[true, undefined]]);
      nodes.splice(0);
      await node.broker.close();
      expect(node.sink.connections).toHaveLength(1);
    });

    it('retains the latest event of each key in a compacted channel', async () => {
      const node = await one();
      const compact = { keep: { ...keep, compact: true } };
      const set = (key: string, value: string) => draft('x', value, { key, ...compact });
      await node.publish(set('a', '1'), set('b', '2'), set('a', '3'));
      await node.publish(set('c', '4'), set('b', '5'), draft('x', '6', { event: 'a', ...compact }));
      const page = await node.broker.read('x', 0, 9);
      expect(page).toMatchObject({ trimmedUpTo: 0 });
      expect(data(page)).toEqual(['4', '5', '6']);
      await node.publish(draft('x', '', { kind: 'gone', key: 'c', ...compact }));
      expect((await node.broker.read('x', 0, 9)).entries.map(({ kind }) => kind)).toEqual([
        'event',
        'event',
        'gone',
      ]);
    });

    it('trims a compacted channel by keys', async () => {
      const node = await one();
      const compact = { keep: { ...keep, events: 2, compact: true } };
      const set = (key: string, value: string) => draft('x', value, { key, ...compact });
      await node.publish(set('a', '1'), set('b', '2'), set('b', '3'), set('b', '4'));
      expect(await node.broker.read('x', 0, 9)).toMatchObject({ trimmedUpTo: 0 });
      await node.publish(set('c', '5'));
      const page = await node.broker.read('x', 0, 9);
      expect(page).toMatchObject({ trimmedUpTo: 1 });
      expect(data(page)).toEqual(['4', '5']);
      await node.publish(set('a', '6'));
      expect(data(await node.broker.read('x', 0, 9))).toEqual(['5', '6']);
    });

    it('retains state at any age, and a tombstone for the age of the history', async () => {
      const node = await one();
      const compact = { keep: { ...keep, age: 300, compact: true } };
      await node.publish(draft('x', '1', { key: 'a', ...compact }));
      await node.publish(draft('x', '', { key: 'a', kind: 'gone', ...compact }));
      await node.publish(draft('x', '2', { key: 'b', ...compact }));
      await new Promise(resolve => setTimeout(resolve, 400));
      const page = await node.broker.read('x', 0, 9);
      expect(page).toMatchObject({ trimmedUpTo: 2 });
      expect(data(page)).toEqual(['2']);
    });

    it('reads page by page', async () => {
      const node = await one();
      const large = { keep: { ...keep, bytes: 64 * 1024 * 1024 } };
      for (let index = 0; index < 30; index++) {
        await node.publish(...Array.from({ length: 5 }, () => draft('x', 'x'.repeat(50_000), large)));
      }
      const { head, pages } = await node.broker.open(new Map([['x', 0]]));
      let page = pages.get('x') as Page;
      const entries = [...page.entries];
      let count = 1;
      for (; page.more; count++) {
        page = await node.broker.read('x', entries.at(-1)?.position ?? 0, head);
        entries.push(...page.entries);
      }
      expect(count).toBeGreaterThan(3);
      expect(entries.map(({ position }) => position)).toEqual(Array.from({ length: 150 }, (_, i) => i + 1));
    });

    it('lets a hub deliver a history of several pages', async () => {
      const log = `${process.pid}-${++logs}`;
      const channels = () => ({ history: { bytes: 64 * 1024 * 1024 } });
      const hubs = [
        createHub({ broker: await broker(log), channels }),
        createHub({ broker: await broker(log), channels }),
      ] as const;
      try {
        const ids: string[] = [];
        for (let index = 0; index < 5; index++) ids.push(await hubs[0].publish('x', 'x'.repeat(500_000)));
        const [all, rest] = [open(hubs[1]), open(hubs[1], ids[0])];
        all.stream.subscribe('x', { from: 'start' });
        rest.stream.subscribe('x');
        await until(() => [all, rest].every(({ lastId }) => lastId() === ids[4]));
        expect([all, rest].map(each => each.data().length)).toEqual([5, 4]);
      } finally {
        for (const hub of hubs) await hub.close({ within: 0 });
      }
    });

    it('delivers all entries after the head of an opening, and none up to it, while others publish', async () => {
      const [a, b] = await two();
      let isOver = false;
      const names = Array.from({ length: 20 }, (_, index) => `c${index}`);
      const expected = new Map<string, string[]>(names.map(channel => [channel, []]));
      const publishing = (async () => {
        for (let count = 0; !isOver; count++) {
          // A broker that stores nothing may answer in the same tick.
          await turn();
          const channels = [count, count + 7, count + 3].map(n => names[n % 20] as string);
          await a.publish(
            ...channels.map(channel => draft(channel, `${count}`, { keep: { ...keep, events: 1e6 } })),
          );
          for (const channel of channels) expected.get(channel)?.push(`${count}`);
        }
      })();
      const got = new Map<string, string[]>();
      for (let index = 0; index < 20; index += 2) {
        await new Promise(resolve => setTimeout(resolve, 10));
        const channels = names.slice(index, index + 2);
        const { head, pages } = await b.broker.open(new Map(channels.map(channel => [channel, 0])));
        for (const channel of channels) {
          // What is after the head may arrive before the opening does.
          const given = b.sink.list.filter(entry => entry.channel === channel);
          expect(given.every(({ position }) => position > head)).toBe(true);
          const list = [...(pages.get(channel) as Page).entries];
          for (let more = pages.get(channel)?.more; more; ) {
            const page = await b.broker.read(channel, list.at(-1)?.position ?? 0, head);
            list.push(...page.entries);
            more = page.more;
          }
          expect(list.every(({ position }) => position <= head)).toBe(true);
          got.set(
            channel,
            list.map(entry => entry.data),
          );
        }
      }
      isOver = true;
      await publishing;
      const { head } = await b.broker.head();
      await b.broker.open(new Map([['other', 0]]));
      expect(b.sink.head).toBeGreaterThanOrEqual(head);
      for (const channel of names) {
        expect([...(got.get(channel) ?? []), ...b.sink.data(channel)]).toEqual(expected.get(channel));
      }
    });

    it('delivers all entries of open channels up to the head of an opening before it resolves', async () => {
      const [a, b] = await two();
      await b.broker.open(new Map([['x', 0]]));
      for (let round = 1; round <= 20; round++) {
        await a.publish(...Array.from({ length: 50 }, () => draft('x', '.')));
        const { head } = await b.broker.open(new Map([[`y${round}`, 0]]));
        expect(head).toBe(round * 50);
        expect(b.sink.list).toHaveLength(head);
      }
    });

    it('reads an open channel again', async () => {
      const [a, b] = await two();
      await b.broker.open(new Map([['x', 0]]));
      await a.publish(draft('x', '1'));
      const { pages } = await b.broker.open(new Map([['x', 0]]));
      expect(data(pages.get('x'))).toEqual(['1']);
      await a.publish(draft('x', '2'));
      await b.sink.until(() => b.sink.list.length === 2);
      expect(b.sink.data('x')).toEqual(['1', '2']);
    });

    it('opens many channels with one call', async () => {
      const [a, b] = await two();
      const names = Array.from({ length: 1_000 }, (_, index) => `c${index}`);
      for (let index = 0; index < 1_000; index += 500) {
        await a.publish(...names.slice(index, index + 500).map(channel => draft(channel, channel)));
      }
      const { pages } = await b.broker.open(new Map(names.map(channel => [channel, 0])));
      expect(names.filter(channel => data(pages.get(channel))?.[0] !== channel)).toEqual([]);
      await a.publish(draft('c0', 'new'), draft('c999', 'new'));
      await b.sink.until(() => b.sink.list.length === 2);
    });

    it('stops delivering a channel that was released, and opens it again', async () => {
      const [a, b] = await two();
      await b.broker.open(
        new Map([
          ['x', 0],
          ['y', 0],
        ]),
      );
      b.broker.release(['x']);
      await b.broker.open(new Map([['z', 0]]));
      await a.publish(draft('x', '1'), draft('y', '2'));
      await b.sink.until(() => b.sink.list.length === 1);
      expect(b.sink.log).toEqual(['y 2']);
      b.broker.release(['y']);
      const { pages } = await b.broker.open(
        new Map([
          ['x', 0],
          ['y', 0],
        ]),
      );
      expect(data(pages.get('x'))).toEqual(['1']);
      await a.publish(draft('x', '3'), draft('y', '4'));
      await b.sink.until(() => b.sink.list.length === 3);
      expect(b.sink.log).toEqual(['y 2', 'x 3', 'y 4']);
    });

    it('reads the newest position of all processes', async () => {
      const [a, b] = await two();
      await a.publish(draft('x', '1'), draft('x', '2'));
      expect(await b.broker.head()).toEqual({ epoch: b.epoch, head: 2 });
    });

    it('starts at the end of the log, after all processes have closed', async () => {
      logs += 1;
      const log = `${process.pid}-${logs}`;
      const first = await start(await broker(log));
      await first.publish(draft('x', '1'));
      await first.broker.close();
      const second = await start(await broker(log));
      nodes.push(second);
      expect(second).toMatchObject({ epoch: first.epoch, head: 1 });
      expect(data((await second.broker.open(new Map([['x', 0]]))).pages.get('x'))).toEqual(['1']);
    });

    it('rejects calls once it is closed', async () => {
      const node = await one();
      await node.broker.close();
      nodes.splice(0);
      await expect(node.broker.publish([draft('x', '')], soon())).rejects.toMatchObject({ code: 'closed' });
      await expect(node.broker.open(new Map([['x', 0]]))).rejects.toMatchObject({ code: 'closed' });
      await expect(node.broker.head()).rejects.toMatchObject({ code: 'closed' });
      await expect(node.broker.state('x')).rejects.toMatchObject({ code: 'closed' });
    });
  });
}
