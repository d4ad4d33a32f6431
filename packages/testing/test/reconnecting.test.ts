import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { type ConnectOptions, connect, type TestClient } from '@tidings/testing';
import { afterEach, describe, expect, it } from 'vitest';

const clients: TestClient[] = [];
afterEach(() => Promise.all(clients.splice(0).map(client => client.close())));

interface Asked extends Pick<IncomingMessage, 'method' | 'headers'> {
  body: string;
}

/** A client of a server that answers each request with the next of these texts. `cut()` breaks the connection. */
async function connectTo(texts: string[], options: ConnectOptions = {}) {
  const asked: Asked[] = [];
  let cut = () => {};
  const server = createServer(async (req, res) => {
    const { method, headers } = req;
    asked.push({ method, headers, body: await text(req) });
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write(texts[asked.length - 1]);
    cut = () => void res.destroy();
  });
  const client = await connect(server, '/', options);
  clients.push(client);
  return { client, asked, cut: () => cut() };
}

describe('a client that reconnects', () => {
  it.each([
    ['the id of the last event', 'id: 1\ndata: a\n\n', '1'],
    ['the last id that there was', 'id: 1\ndata: b\n\ndata: a\n\n', '1'],
    ['no id after an empty one', 'id: 1\ndata: b\n\nid:\ndata: a\n\n', undefined],
    ['no id of an event that broke off', 'id: 1\ndata: a\n\nid: 2\ndata: b', '1'],
  ])('sends %s', async (_, first, id) => {
    const { client, asked, cut } = await connectTo([first, 'data: c\n\n']);
    await client.until(({ data }) => data === 'a');
    cut();
    expect(await client.ended).toBe(false);
    await client.reconnect();
    expect(asked.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, id]);
    // What broke off is no part of what comes now.
    expect(await client.next()).toEqual({ event: 'message', data: 'c' });
  });

  it('disconnects first while it is connected', async () => {
    const { client, asked } = await connectTo(['id: 1\ndata: a\n\n', 'id: 2\ndata: b\n\n']);
    await client.next();
    await client.reconnect();
    expect((await client.next()).data).toBe('b');
    expect([client.lastEventId, asked.length]).toEqual(['2', 2]);
  });

  it('sends the body of its request again', async () => {
    const options = { body: '{"hello":"world"}', headers: { 'content-type': 'application/json' } };
    const { client, asked, cut } = await connectTo(['data: a\n\n', 'data: b\n\n'], options);
    await client.next();
    cut();
    await client.reconnect();
    expect((await client.next()).data).toBe('b');
    for (const { method, headers, body } of asked)
      expect([method, headers['content-type'], body]).toEqual(['POST', 'application/json', options.body]);
  });
});

describe('a request', () => {
  it.each([
    ['GET', {}, { method: 'GET', body: '' }],
    ['POST, with a body', { body: 'x' }, { method: 'POST', body: 'x' }],
    ['REPORT', { method: 'REPORT', body: 'x' }, { method: 'REPORT', body: 'x' }],
  ])('can be a %s', async (_, options, expected) => {
    const { asked } = await connectTo(['data: a\n\n'], options);
    expect(asked).toMatchObject([expected]);
  });

  it.each([301, 307])('is not repeated after a %d without a location', async status => {
    for (const headers of [{}, { location: '' }]) {
      const server = createServer((_req, res) => void res.writeHead(status, headers).end());
      const client = await connect(server, '/');
      clients.push(client);
      await expect(client.next()).rejects.toThrow(`the response is not an event stream: ${status}`);
    }
  });
});
