import { expect, it } from 'vitest';
import { eventually } from '../support/client.ts';
import { contract, fill, KIB, MIB } from './contract.ts';

contract('a stream sends', ({ connect }) => {
  it('events in the format of the standard', async () => {
    const { client, stream } = await connect();
    expect(stream.send('a', { event: 'e', id: '1', retry: 5 })).toBe(true);
    stream.send('one\ntwo\r\nthree\rfour');
    stream.comment('aside\nwith two lines');
    for (const data of [0, false, null, '', { a: [1] }, Buffer.from('ä')]) stream.send(data);
    await client.until(({ events }) => events.length === 8);
    expect(client.text).toBe(
      ':\n\nevent: e\nretry: 5\ndata: a\nid: 1\n\ndata: one\ndata: two\ndata: three\ndata: four\n\n' +
        ': aside\n: with two lines\ndata: 0\n\ndata: false\n\ndata: null\n\ndata: \n\ndata: {"a":[1]}\n\ndata: ä\n\n',
    );
  });

  it('heartbeats as events of a name, with the id if the position has moved', async () => {
    const { hub, client } = await connect({
      hub: { heartbeat: { interval: 30, event: 'ping' } },
      use: opened => void opened.subscribe('news'),
    });
    const pings = () => client.events.filter(({ event }) => event === 'ping');
    await client.until(() => pings().length >= 2);
    expect(pings().every(({ data }) => data === '')).toBe(true);
    // The first id comes in a marker, or in a heartbeat that is due before it.
    expect(client.events.filter(({ id }) => id !== undefined)).toHaveLength(1);
    await hub.publish('other', 1);
    const position = await hub.position();
    await client.until(() => pings().some(({ id }) => id === position));
    expect(client.headers['tidings-heartbeat']).toBe('30');
    expect(client.comments).toHaveLength(1);
    expect(client.events.filter(({ id }) => id === position)).toHaveLength(1);
  });

  it.each([
    ['a client without markers', { stream: { markers: false } }],
    ['the client of a POST', { request: { method: 'POST' } }],
  ])('heartbeats as comments to %s', async (_, setup) => {
    const { hub, client } = await connect({
      ...setup,
      hub: { heartbeat: { interval: 30, event: 'ping' } },
      use: opened => void opened.subscribe('news'),
    });
    await client.until(({ comments }) => comments.length === 3);
    await hub.publish('other', 1);
    await client.until(({ comments }) => comments.length === 6);
    expect(client.text).not.toContain('ping');
  });

  it('comments with a blank line until it has sent an id, and without from then on', async () => {
    const { client, stream } = await connect({ hub: { heartbeat: 30 } });
    await client.until(({ comments }) => comments.length === 2);
    stream.comment('a');
    stream.send(1);
    // Queued together: the comment comes after the id.
    stream.send(2, { id: 'i' });
    stream.comment('b');
    await client.until(({ comments }) => comments.length >= 6);
    expect(client.text).toMatch(/^(:\n\n)+: a\n\ndata: 1\n\ndata: 2\nid: i\n\n: b\n(:\n)+$/);
  });

  it('comments without a blank line after the marker of a subscription, wherever they waited', async () => {
    const { client, stream } = await connect({
      hub: { heartbeat: 30 },
      use: opened => {
        opened.comment('first');
        opened.subscribe('news');
      },
    });
    await client.until(({ events }) => events.length === 1);
    stream.comment('second');
    await client.until(({ comments }) => comments.length >= 5);
    expect(client.text).toMatch(/: first\n\nevent: tidings\ndata: \nid: \S+\n\n(:\n)*: second\n(:\n)+$/);
  });

  it('nothing for invalid events, and throws with the reason', async () => {
    const { client, stream } = await connect();
    expect(() => stream.send('x', { event: 'a\nb' })).toThrow(
      /^event must be a string without CR, LF or NUL/,
    );
    expect(() => stream.send('x', { id: 'a\0b' })).toThrow(
      expect.objectContaining({ code: 'invalid-field' }),
    );
    expect(() => stream.send(undefined)).toThrow(TypeError);
    stream.send('fine');
    await client.until(({ events }) => events.length === 1);
    expect(client.text).toBe(':\n\ndata: fine\n\n');
  });

  it('in order, in the tick of the request and later', async () => {
    const { client, stream } = await connect({
      use: opened => {
        for (let i = 0; i < 50; i++) opened.send(i);
      },
    });
    for (let i = 50; i < 100; i++) stream.send(i);
    await client.until(({ events }) => events.length === 100);
    expect(client.events.map(event => Number(event.data))).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('at the pace of a client that pauses, without a gap', async () => {
    const { client, stream } = await connect({ hub: { maxBufferedBytes: 64 * MIB } });
    client.stall();
    let sent = await fill(stream);
    expect(stream.bufferedBytes).toBeGreaterThan(0);
    let isDrained = false;
    const drained = stream.drained().then(() => {
      isDrained = true;
    });
    for (let i = 0; i < 100; i++, sent++) expect(stream.send(`queued ${i}`)).toBe(false);
    expect(isDrained).toBe(false);
    client.resume();
    await drained;
    stream.send('last');
    await client.until(({ events }) => events.length === sent + 1);
    expect(client.events.slice(-101).map(event => event.data)).toEqual([
      ...Array.from({ length: 100 }, (_, i) => `queued ${i}`),
      'last',
    ]);
    await stream.drained();
    await eventually(() => stream.bufferedBytes === 0);
  });

  it('queued events once the headers are sent', async () => {
    const { client } = await connect({
      use: async opened => {
        await opened.drained();
        opened.send('now');
      },
    });
    await client.until(({ events }) => events.length === 1);
  });

  it('no more than the limit to a client that does not read', async () => {
    const limit = { maxBufferedBytes: 256 * KIB, bufferedBytesLimit: 256 * KIB, onError: () => {} };
    const { hub, client, stream } = await connect({ hub: limit });
    client.stall();
    let most = 0;
    let sent = 0;
    for (; sent < 10_000 && hub.streams.size > 0; sent++) {
      stream.send('x'.repeat(16 * KIB));
      most = Math.max(most, stream.bufferedBytes);
    }
    expect(most).toBeGreaterThan(128 * KIB);
    expect(most).toBeLessThanOrEqual(256 * KIB);
    expect(await stream.closed).toBe('slow');
    expect(hub.streams.size).toBe(0);
    client.resume();
    await client.ended;
    expect(client.events.length).toBeLessThan(sent);
  });

  it('one event beyond the bound, when nothing is queued', async () => {
    const { client, stream } = await connect({ hub: { maxBufferedBytes: 64 * KIB } });
    stream.send('x'.repeat(3 * MIB));
    await client.until(({ events }) => events.length === 1);
    expect(client.events[0]?.data).toHaveLength(3 * MIB);
  });

  it('a comment only when it is idle', async () => {
    const { client, stream } = await connect({ hub: { heartbeat: 40 } });
    await client.until(({ comments }) => comments.length === 4);
    const until = Date.now() + 400;
    const before = client.comments.length;
    while (Date.now() < until) {
      stream.send('busy');
      await new Promise(resolve => setTimeout(resolve, 2));
    }
    expect(client.comments.length - before).toBeLessThanOrEqual(4);
    expect(client.text).toMatch(/^(:\n\n|data: busy\n\n)+$/);
  });
});
