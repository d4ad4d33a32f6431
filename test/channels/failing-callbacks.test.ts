import { setImmediate as turn } from 'node:timers/promises';
import { type ChannelOptions, createHub, type ErrorContext, type SubscribeOptions } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { afterEach, describe, expect, it } from 'vitest';
import { request } from '../support/client.ts';
import { dataOf, lastIdOf, resetsOf, withId } from '../support/received.ts';
import { listen, type Running } from '../support/server.ts';

const running: Running[] = [];
afterEach(() => {
  for (const server of running.splice(0)) server.kill();
});

/** Every request is subscribed to the channels its path names. */
async function serve(channel: ChannelOptions, options?: SubscribeOptions) {
  const errors: [error: unknown, context: ErrorContext][] = [];
  const hub = createHub({
    heartbeat: false,
    channels: name => (name === 'chat' ? {} : channel),
    onError: (error, context) => void errors.push([error, context]),
  });
  const server = await listen((req, res) => {
    const { pathname } = new URL(req.url, 'http://x');
    openStream(req, res, { hub }).subscribe(pathname.slice(1).split(','), options);
  });
  running.push(server);
  const connect = (path: string, lastEventId?: string) => request(server.origin, path, withId(lastEventId));
  return { hub, connect, errors };
}

/** A filter that fails for events whose data says so. */
const filter: SubscribeOptions['filter'] = ({ data }) => {
  if (String(data).startsWith('bad')) throw new Error(`filter: ${data}`);
  return true;
};

const messages = (errors: [unknown, ErrorContext][]) => errors.map(([error]) => (error as Error).message);

describe('a filter that throws', () => {
  it('skips the event, and is reported with its stream', async () => {
    const { hub, connect, errors } = await serve({}, { filter });
    const client = await connect('/a');
    await client.until(({ events }) => events.length > 0);
    const [stream] = hub.streams;
    for (const data of ['one', 'bad 1', 'two', 'bad 2', 'three']) await hub.publish('a', data);
    await client.until(each => dataOf(each).includes('three'));
    expect(dataOf(client)).toEqual(['one', 'two', 'three']);
    expect(messages(errors)).toEqual(['filter: bad 1', 'filter: bad 2']);
    for (const [, context] of errors) expect(context).toMatchObject({ stage: 'subscribe', stream });
  });

  it('skips the event for its own stream only', async () => {
    const { hub, connect } = await serve({});
    const other = await connect('/a');
    const failing = await connect('/a');
    await failing.until(({ events }) => events.length > 0);
    const [, stream] = hub.streams;
    stream?.subscribe('a', { filter });
    await hub.publish('a', 'bad');
    await hub.publish('a', 'good');
    for (const client of [other, failing]) await client.until(each => dataOf(each).includes('good'));
    expect([dataOf(other), dataOf(failing)]).toEqual([['bad', 'good'], ['good']]);
  });

  it('skips the event of a compacted channel, and streams can still open', async () => {
    const { hub, connect, errors } = await serve({ compact: true }, { filter });
    await hub.publish('a', 'bad', { key: '1' });
    await hub.publish('a', 'good', { key: '2' });
    const client = await connect('/a');
    await hub.publish('a', 'live', { key: '3' });
    await client.until(each => dataOf(each).includes('live'));
    expect([dataOf(client), resetsOf(client)]).toEqual([['good', 'live'], []]);
    expect(messages(errors)).toEqual(['filter: bad']);
  });

  it('skips the event in a replay, and in a stream with several channels', async () => {
    const { hub, connect, errors } = await serve({}, { filter });
    const id = await hub.publish('a', 'seen');
    await hub.publish('a', 'bad');
    await hub.publish('b', 'good');
    const client = await connect('/a,b', id);
    await hub.publish('a', 'live');
    await client.until(each => dataOf(each).includes('live'));
    expect([dataOf(client), resetsOf(client)]).toEqual([['good', 'live'], []]);
    expect(messages(errors)).toEqual(['filter: bad']);
  });

  it('skips every event if it throws for each, and keeps the stream', async () => {
    const { hub, connect, errors } = await serve(
      {},
      {
        filter: () => {
          throw new Error('always');
        },
      },
    );
    const client = await connect('/a');
    await client.until(({ events }) => events.length > 0);
    const [stream] = hub.streams;
    for (let i = 0; i < 3; i++) await hub.publish('a', i);
    await turn();
    stream?.send('sent');
    await client.until(each => dataOf(each).includes('sent'));
    expect([dataOf(client), errors.length]).toEqual([['sent'], 3]);
  });

  it('skips the event, and the stream resumes after it without a reset', async () => {
    const { hub, connect } = await serve({}, { filter });
    const first = await connect('/a');
    await first.until(({ events }) => events.length > 0);
    await hub.publish('a', 'bad');
    await hub.publish('a', 'one');
    await first.until(each => dataOf(each).includes('one'));
    first.reset();
    await first.ended;
    await hub.publish('a', 'two');
    const second = await connect('/a', lastIdOf(first));
    await second.until(each => dataOf(each).length > 0);
    expect([dataOf(second), resetsOf(second)]).toEqual([['two'], []]);
  });

  it('does not prevent the end of the stream', async () => {
    const { hub, connect, errors } = await serve({}, { filter });
    const client = await connect('/a');
    await client.until(({ events }) => events.length > 0);
    const [stream] = hub.streams;
    await hub.publish('a', 'bad');
    const end = await hub.channel('a').end();
    expect(await client.ended).toBe(true);
    expect([await stream?.closed, lastIdOf(client)]).toEqual(['ended', `${end}.`]);
    expect(new Set(messages(errors))).toEqual(new Set(['filter: bad']));
    // Nothing that it could be sent is left.
    expect((await connect('/a')).status).toBe(204);
  });

  it('that throws a value that is not an Error is reported, too', async () => {
    const { hub, connect, errors } = await serve(
      {},
      {
        filter: ({ data }) => {
          if (data === 'bad') throw undefined;
          return true;
        },
      },
    );
    const client = await connect('/a');
    await client.until(({ events }) => events.length > 0);
    await hub.publish('a', 'bad');
    await hub.publish('a', 'good');
    await client.until(each => dataOf(each).includes('good'));
    expect(errors.map(([error]) => error)).toEqual([undefined]);
  });
});

describe.each<[string, () => unknown]>([
  [
    'throws',
    () => {
      throw new Error('snapshot');
    },
  ],
  ['rejects', () => Promise.reject(new Error('snapshot'))],
  ['returns what cannot be sent', () => undefined],
])('a snapshot that %s', (_, fail) => {
  /** A hub whose snapshots fail until they are mended. */
  async function failing() {
    let take = fail;
    const served = await serve({ snapshot: () => take() });
    return {
      ...served,
      mend: () => {
        take = () => 'state';
      },
    };
  }

  it('is reported, and its client receives the state and all events after a reconnect', async () => {
    const { hub, connect, errors, mend } = await failing();
    const client = await connect('/chat,board');
    // The stream may end, or go on without the state.
    await Promise.race([client.ended, client.until(each => each.events.length > 0)]);
    expect(errors.map(([, { stage }]) => stage)).toEqual(['subscribe']);
    client.reset();
    await client.ended;
    const seenBefore = dataOf(client);
    mend();
    await hub.publish('chat', 'meanwhile');
    const again = await connect('/chat,board', lastIdOf(client));
    await hub.publish('chat', 'live');
    await again.until(each => dataOf(each).includes('live') && dataOf(each).includes('state'));
    expect(seenBefore).toEqual([]);
    expect(dataOf(again).filter(data => data !== 'state')).toEqual(['meanwhile', 'live']);
  });

  it('does not affect the streams that have the state', async () => {
    let take: () => unknown = () => 'state';
    const { hub, connect } = await serve({ snapshot: () => take() });
    const happy = await connect('/board');
    await happy.until(each => dataOf(each).includes('state'));
    take = fail;
    const unlucky = await connect('/board');
    await Promise.race([unlucky.ended, unlucky.until(each => each.events.length > 0)]);
    await hub.publish('board', 'live');
    await happy.until(each => dataOf(each).includes('live'));
    expect(dataOf(happy)).toEqual(['state', 'live']);
  });
});
