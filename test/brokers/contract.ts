import { setImmediate as turn } from 'node:timers/promises';
import type { Broker, Page, TidingsError } from '@tidings/core';
import { afterEach, describe, expect, it } from 'vitest';
import { begin, draft, type Node } from './recorder.ts';

export interface BrokerMount {
  name: string;
  /** A broker of one more node, on a log of this name. */
  broker(log: string): Broker | Promise<Broker>;
}

const soon = () => AbortSignal.timeout(5_000);
const data = (page: Page | undefined) => page?.entries.map(entry => entry.data);
const keep = { events: 256, bytes: 1024 * 1024, age: 300_000, compact: false };

let logs = 0;

/** Declares tests of what the contract in `broker.ts` says. A broker's own test file mounts it. */
export function brokerContract({ name, broker }: BrokerMount): void {
  describe(`the broker contract · ${name}`, () => {
    const nodes: Node[] = [];
    afterEach(async () => {
      for (const node of nodes.splice(0)) await node.broker.close();
    });

    /** So many nodes of one hub. */
    async function start(count = 1): Promise<Node[]> {
      logs += 1;
      const log = `${process.pid}-${logs}`;
      const started: Node[] = [];
      for (let index = 0; index < count; index++) started.push(await begin(await broker(log)));
      nodes.push(...started);
      return started;
    }
    async function one(): Promise<Node> {
      return (await start())[0] as Node;
    }
    async function two(): Promise<[Node, Node]> {
      return (await start(2)) as [Node, Node];
    }

    it('begins at 0, in an epoch that all nodes share', async () => {
      const [a, b] = await two();
      expect(a.epoch).toMatch(/^[0-9a-z]{1,40}$/);
      expect(b).toMatchObject({ epoch: a.epoch, head: 0 });
    });

    it('gives positions that ascend, and what comes to open channels to every node', async () => {
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

    it('keeps an entry as it is', async () => {
      const [a, b] = await two();
      await b.broker.open(new Map([['ä {x}', 0]]));
      const more = { event: 'e\u2028', key: '', except: 'client "1"' };
      const text = '\uFEFFline\nline\r\n\0 "quoted" 🙂\uD800'.toWellFormed();
      await a.publish(
        draft('ä {x}', text, more),
        draft('ä {x}', ''),
        draft('ä {x}', 'null', { kind: 'gone', key: 'k' }),
        draft('ä {x}', '', { kind: 'end' }),
      );
      await b.sink.until(() => b.sink.list.length === 4);
      const expected = [
        { channel: 'ä {x}', position: 1, kind: 'event', data: text, ...more },
        { channel: 'ä {x}', position: 2, kind: 'event', data: '' },
        { channel: 'ä {x}', position: 3, kind: 'gone', key: 'k', data: 'null' },
        { channel: 'ä {x}', position: 4, kind: 'end', data: '' },
      ];
      expect(b.sink.list).toEqual(expected);
      const { pages } = await a.broker.open(new Map([['ä {x}', 0]]));
      expect(pages.get('ä {x}')).toEqual({ entries: expected, floor: 0, more: false, ended: 4 });
    });

    it('reads what is after a position, the last so many, and nothing of what is not there', async () => {
      const node = await one();
      for (let index = 1; index <= 5; index++) await node.publish(draft('x', `${index}`));
      const open = async (reach: number | { last: number }) => {
        const { head, pages } = await node.broker.open(new Map([['x', reach]]));
        expect(head).toBe(5);
        return pages.get('x');
      };
      expect(await open(0)).toMatchObject({ floor: 0, more: false });
      expect(data(await open(0))).toEqual(['1', '2', '3', '4', '5']);
      expect(await open(3)).toMatchObject({ floor: 3 });
      expect(data(await open(3))).toEqual(['4', '5']);
      expect(data(await open(5))).toEqual([]);
      expect(await open({ last: 2 })).toMatchObject({ floor: 3 });
      expect(data(await open({ last: 2 }))).toEqual(['4', '5']);
      expect(await open({ last: 9 })).toMatchObject({ floor: 0 });
      expect(data(await open({ last: 9 }))).toEqual(['1', '2', '3', '4', '5']);
      expect(data(await open({ last: 0 }))).toEqual([]);
      const { pages } = await node.broker.open(new Map([['never', 0]]));
      expect(pages.get('never')).toEqual({ entries: [], floor: 0, more: false });
      expect(data(await node.broker.read('x', 1, 3))).toEqual(['2', '3']);
    });

    it('counts no end among the last so many', async () => {
      const node = await one();
      await node.publish(draft('x', '1'), draft('x', '2'), draft('x', '', { kind: 'end' }));
      const { pages } = await node.broker.open(new Map([['x', { last: 1 }]]));
      expect(pages.get('x')).toMatchObject({ floor: 1, ended: 3 });
      expect(data(pages.get('x'))).toEqual(['2', '']);
    });

    it('keeps so many events, and says from where on', async () => {
      const node = await one();
      const few = { keep: { ...keep, events: 3 } };
      for (let index = 1; index <= 5; index++) await node.publish(draft('x', `${index}`, few));
      const { pages } = await node.broker.open(new Map([['x', 0]]));
      expect(pages.get('x')).toMatchObject({ floor: 2 });
      expect(data(pages.get('x'))).toEqual(['3', '4', '5']);
      expect(await node.broker.read('x', 1, 5)).toMatchObject({ floor: 2 });
      await node.publish(...Array.from({ length: 10 }, (_, index) => draft('x', `${index + 6}`, few)));
      expect(data(await node.broker.read('x', 0, 15))).toEqual(['13', '14', '15']);
    });

    it('keeps so many bytes', async () => {
      const node = await one();
      const small = { keep: { ...keep, bytes: 10_000 } };
      for (let index = 1; index <= 10; index++) await node.publish(draft('x', 'x'.repeat(3_000), small));
      const page = await node.broker.read('x', 0, 10);
      expect(page.floor).toBe(7);
      expect(page.entries).toHaveLength(3);
    });

    it('keeps for so long, each event', async () => {
      const node = await one();
      const short = { keep: { ...keep, age: 300 } };
      await node.publish(draft('x', '1', short), draft('y', '2', short));
      await new Promise(resolve => setTimeout(resolve, 400));
      expect(await node.broker.read('x', 0, 9)).toEqual({ entries: [], floor: 1, more: false });
      await node.publish(draft('x', '3', short));
      expect(await node.broker.read('x', 0, 9)).toMatchObject({ floor: 1 });
      expect(data(await node.broker.read('x', 0, 9))).toEqual(['3']);
      expect(await node.broker.read('y', 0, 9)).toEqual({ entries: [], floor: 2, more: false });
    });

    it('keeps nothing of a channel without a history, and delivers it', async () => {
      const node = await one();
      const none = { keep: { events: 0, bytes: 0, age: 0, compact: false } };
      await node.broker.open(new Map([['x', 0]]));
      await node.publish(draft('x', '1', none), draft('x', '2', none));
      await node.sink.until(() => node.sink.list.length === 2);
      expect(await node.broker.read('x', 0, 2)).toEqual({ entries: [], floor: 2, more: false });
      await node.publish(draft('x', '', { kind: 'end', ...none }));
      expect(await node.broker.read('x', 0, 3)).toMatchObject({ ended: 3, floor: 2 });
      const { results } = await node.broker.publish([draft('x', '', none)], soon());
      expect(results[0]).toMatchObject({ code: 'ended' });
    });

    it('refuses what follows an end, and only that', async () => {
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

    it('keeps the newest of each key, where that is asked for', async () => {
      const node = await one();
      const compact = { keep: { ...keep, compact: true } };
      const set = (key: string, value: string) => draft('x', value, { key, ...compact });
      await node.publish(set('a', '1'), set('b', '2'), set('a', '3'));
      await node.publish(set('c', '4'), set('b', '5'), draft('x', '6', { event: 'a', ...compact }));
      const page = await node.broker.read('x', 0, 9);
      expect(page).toMatchObject({ floor: 0 });
      expect(data(page)).toEqual(['4', '5', '6']);
      await node.publish(draft('x', '', { kind: 'gone', key: 'c', ...compact }));
      expect((await node.broker.read('x', 0, 9)).entries.map(({ kind }) => kind)).toEqual([
        'event',
        'event',
        'gone',
      ]);
    });

    it('counts keys, and a key that has to leave is a loss', async () => {
      const node = await one();
      const compact = { keep: { ...keep, events: 2, compact: true } };
      const set = (key: string, value: string) => draft('x', value, { key, ...compact });
      await node.publish(set('a', '1'), set('b', '2'), set('b', '3'), set('b', '4'));
      expect(await node.broker.read('x', 0, 9)).toMatchObject({ floor: 0 });
      await node.publish(set('c', '5'));
      const page = await node.broker.read('x', 0, 9);
      expect(page).toMatchObject({ floor: 1 });
      expect(data(page)).toEqual(['4', '5']);
      await node.publish(set('a', '6'));
      expect(data(await node.broker.read('x', 0, 9))).toEqual(['5', '6']);
    });

    it('keeps state however old it is, and the trace of a key that is gone for as long as the age says', async () => {
      const node = await one();
      const compact = { keep: { ...keep, age: 300, compact: true } };
      await node.publish(draft('x', '1', { key: 'a', ...compact }));
      await node.publish(draft('x', '', { key: 'a', kind: 'gone', ...compact }));
      await node.publish(draft('x', '2', { key: 'b', ...compact }));
      await new Promise(resolve => setTimeout(resolve, 400));
      const page = await node.broker.read('x', 0, 9);
      expect(page).toMatchObject({ floor: 2 });
      expect(data(page)).toEqual(['2']);
    });

    it('reads on, page by page', async () => {
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

    it('gives everything after the head of an opening, and nothing up to it, whatever is published meanwhile', async () => {
      const [a, b] = await two();
      let isOver = false;
      const names = Array.from({ length: 20 }, (_, index) => `c${index}`);
      const expected = new Map<string, string[]>(names.map(channel => [channel, []]));
      const publishing = (async () => {
        for (let count = 0; !isOver; count++) {
          // One that stores nothing may answer at once.
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
          expect(b.sink.data(channel)).toEqual([]);
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

    it('has given everything up to the head of an opening to the channels that were open before', async () => {
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

    it('no longer gives what comes to a channel that was shut, and opens it again', async () => {
      const [a, b] = await two();
      await b.broker.open(
        new Map([
          ['x', 0],
          ['y', 0],
        ]),
      );
      b.broker.shut(['x']);
      await b.broker.open(new Map([['z', 0]]));
      await a.publish(draft('x', '1'), draft('y', '2'));
      await b.sink.until(() => b.sink.list.length === 1);
      expect(b.sink.log).toEqual(['y 2']);
      b.broker.shut(['y']);
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

    it('knows the head, whoever published', async () => {
      const [a, b] = await two();
      await a.publish(draft('x', '1'), draft('x', '2'));
      expect(await b.broker.head()).toEqual({ epoch: b.epoch, head: 2 });
    });

    it('gives a note to every node, its own included', async () => {
      const [a, b] = await two();
      await a.broker.tell('disconnect ann\n');
      await b.sink.until(() => b.sink.notes.length === 1);
      await a.sink.until(() => a.sink.notes.length === 1);
      expect([a.sink.notes, b.sink.notes]).toEqual([['disconnect ann\n'], ['disconnect ann\n']]);
    });

    it('begins where the log is, after all nodes have left', async () => {
      logs += 1;
      const log = `${process.pid}-${logs}`;
      const first = await begin(await broker(log));
      await first.publish(draft('x', '1'));
      await first.broker.close();
      const second = await begin(await broker(log));
      nodes.push(second);
      expect(second).toMatchObject({ epoch: first.epoch, head: 1 });
      expect(data((await second.broker.open(new Map([['x', 0]]))).pages.get('x'))).toEqual(['1']);
    });

    it('takes nothing when it is closed', async () => {
      const node = await one();
      await node.broker.close();
      nodes.splice(0);
      await expect(node.broker.publish([draft('x', '')], soon())).rejects.toMatchObject({ code: 'closed' });
      await expect(node.broker.open(new Map([['x', 0]]))).rejects.toMatchObject({ code: 'closed' });
      await expect(node.broker.head()).rejects.toMatchObject({ code: 'closed' });
    });
  });
}
