import { createHub, type From, type Hub } from '@tidings/core';
import { describe, expect, it } from 'vitest';
import { MemoryTransport } from '../../packages/core/test/memory-transport.ts';
import { wait } from '../support/memory-stream.ts';

/** Where a subscription begins, of five events that are there and two that come. */
const table: [name: string, from: (ids: string[]) => From | undefined, expected: number[]][] = [
  ['nothing said', () => undefined, [6, 7]],
  ['now', () => 'now', [6, 7]],
  ['start', () => 'start', [1, 2, 3, 4, 5, 6, 7]],
  ['the last 2', () => ({ last: 2 }), [4, 5, 6, 7]],
  ['the last 0', () => ({ last: 0 }), [6, 7]],
  ['more than there are', () => ({ last: 50 }), [1, 2, 3, 4, 5, 6, 7]],
  ['after an id', ids => ({ after: ids[2] as string }), [4, 5, 6, 7]],
  ['after the last id', ids => ({ after: ids[4] as string }), [6, 7]],
];

async function fiveEvents(): Promise<{ hub: Hub; ids: string[] }> {
  const hub = createHub({ heartbeat: false });
  const ids: string[] = [];
  for (let i = 1; i <= 5; i++) {
    ids.push(await hub.publish('a', i));
    await hub.publish('other', 'o');
  }
  return { hub, ids };
}

function open(hub: Hub) {
  const transport = new MemoryTransport();
  const stream = hub.open(transport, { method: 'GET', url: '/' });
  const data = () => [...transport.text.matchAll(/data: (\d+)/g)].map(match => Number(match[1]));
  return { stream, transport, data };
}

const blocks = (text: string) => text.split('\n\n').filter(block => /data: \d/.test(block));

describe.each(table)('a subscription from: %s', (_, from, expected) => {
  it('made before the headers has its events in order, each with its id', async () => {
    const { hub, ids } = await fiveEvents();
    const { stream, transport, data } = open(hub);
    stream.subscribe('a', { from: from(ids) });
    hub.publish('a', 6);
    await wait(10);
    hub.publish('a', 7);
    await wait(10);
    expect(data()).toEqual(expected);
    expect(blocks(transport.text).every(block => block.includes('id: '))).toBe(true);
    expect(transport.text).not.toContain('reset');
  });

  it('made later receives older events first, without ids, between two markers', async () => {
    const { hub, ids } = await fiveEvents();
    const { stream, transport, data } = open(hub);
    stream.subscribe('other');
    await wait(10);
    stream.subscribe('a', { from: from(ids) });
    hub.publish('a', 6);
    await wait(10);
    hub.publish('a', 7);
    await wait(10);
    expect(data()).toEqual(expected);
    const older = expected.filter(n => n <= 5);
    const bare = blocks(transport.text).filter(block => !block.includes('id: '));
    expect(bare.map(block => Number(block.split('data: ')[1]))).toEqual(older);
    if (older.length > 0)
      expect(transport.text).toMatch(/~\n[\s\S]*data: 5\n\nevent: tidings\ndata: \nid: \S+\d\n/);
    expect(transport.text).not.toContain('reset');
  });
});

it.each(['x', '0-0', 'abc-7'])(
  'a late subscription after the unknown id %j receives a reset and the retained events',
  async id => {
    const { hub } = await fiveEvents();
    const { stream, transport, data } = open(hub);
    stream.subscribe('other');
    await wait(10);
    stream.subscribe('a', { from: { after: id } });
    await wait(10);
    expect(transport.text.match(/event: reset\ndata: (.*)/)?.[1]).toBe(
      '{"reason":"unknown","channels":["a"]}',
    );
    expect(data()).toEqual([1, 2, 3, 4, 5]);
  },
);
