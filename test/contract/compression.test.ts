import { gunzipSync } from 'node:zlib';
import type { HubOptions } from '@tidings/core';
import { expect, it } from 'vitest';
import { contract, KIB } from './contract.ts';

const hub: HubOptions = { compression: true, onError() {} };
const gzip = { headers: { 'accept-encoding': 'gzip, deflate, br' } };
const row = (n: number) => `<tr id="row-${n}"><td class="name">Server ${n}</td><td>running</td></tr>`;
const rows = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => row(first + index));

contract('a compressed stream', ({ serve, connect }) => {
  it('is decoded event by event, and is a complete gzip body at its end', async () => {
    const { client, stream } = await connect({ hub, request: gzip });
    expect(client.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'content-encoding': 'gzip',
      'cache-control': 'no-cache, no-transform',
    });
    expect(client.headers.vary).toMatch(/\baccept-encoding\b/i);
    for (const text of ['one', 'two €', 'x'.repeat(200 * KIB), 'four']) {
      stream.send(text);
      await client.until(({ events }) => events.at(-1)?.data === text);
    }
    stream.close();
    expect(await client.ended).toBe(true);
    // Without a `finishFlush`, it throws unless there is a trailer with the right CRC.
    expect(gunzipSync(client.body).toString()).toBe(client.text);
  });

  it('compresses events that many streams receive', async () => {
    const { get, hub: served } = await serve(context => context.stream(each => each.subscribe('rows')), hub);
    const clients = await Promise.all(Array.from({ length: 6 }, () => get('/', gzip)));
    for (const data of rows(1, 60)) {
      served.publish('rows', data);
      await Promise.all(clients.map(client => client.until(({ events }) => events.at(-1)?.data === data)));
    }
    for (const client of clients) {
      expect(client.events.filter(({ data }) => data !== '').map(({ data }) => data)).toEqual(rows(1, 60));
      expect(client.body.length).toBeLessThan(client.text.length / 3);
    }
    served.channel('rows').end();
    for (const client of clients) {
      expect(await client.ended).toBe(true);
      expect(gunzipSync(client.body).toString()).toBe(client.text);
    }
  });

  it('is not compressed for a client that does not accept gzip', async () => {
    const { client, stream } = await connect({
      hub,
      request: { headers: { 'accept-encoding': 'br, gzip;q=0' } },
    });
    expect(client.headers['content-encoding']).toBeUndefined();
    expect(client.headers.vary).toMatch(/\baccept-encoding\b/i);
    stream.send('plain');
    await client.until(({ events }) => events.length > 0);
    expect(client.body.toString()).toBe(client.text);
  });

  it('is off by default', async () => {
    const { client } = await connect({ request: gzip });
    expect(client.headers['content-encoding']).toBeUndefined();
    expect(client.headers.vary).toBeUndefined();
  });

  it('keeps the fields of other code in Vary', async () => {
    const { get } = await serve(context => {
      context.setHeader('Vary', 'Origin');
      return context.stream(stream => stream.send('x'));
    }, hub);
    const { vary } = (await get('/', gzip)).headers;
    expect(String(vary)).toMatch(/origin/i);
    expect(String(vary)).toMatch(/accept-encoding/i);
  });

  it('has no encoding and no body when it is refused or finished', async () => {
    const { get } = await serve(context => context.stream(stream => stream.stream(['x'])), hub);
    const client = await get('/', { headers: { ...gzip.headers, 'last-event-id': 'end.' } });
    expect(client.status).toBe(204);
    expect(client.headers['content-encoding']).toBeUndefined();
    expect(await client.ended).toBe(true);
    expect(client.body.length).toBe(0);
  });

  it('has no trailer when it is aborted', async () => {
    const { client, stream } = await connect({ hub, request: { ...gzip, method: 'POST' } });
    stream.send('x');
    await client.until(({ events }) => events.length > 0);
    stream.stream(() => {
      throw new Error('fails');
    });
    expect(await client.ended).toBe(false);
    expect(() => gunzipSync(client.body)).toThrow('unexpected end of file');
  });
});
