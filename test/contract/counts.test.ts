import type { EventStream, Hub } from '@tidings/core';
import { expect, it } from 'vitest';
import { eventually } from '../support/client.ts';
import { contract } from './contract.ts';

contract('the stats of a hub count', ({ connect, serve }) => {
  const countsOf = (hub: Hub) => {
    const { opened, closed, refused } = hub.stats();
    return { opened, closed, refused };
  };

  it('a HEAD request neither as opened nor as closed', async () => {
    const { hub, client } = await connect({ request: { method: 'HEAD' } });
    await client.ended;
    expect(countsOf(hub)).toEqual({ opened: 0, closed: {}, refused: 0 });
  });

  it('a refused request as refused only', async () => {
    const { hub, get } = await serve(context => context.stream(stream => stream.subscribe('a')), {
      limits: { streams: 1 },
    });
    const client = await get();
    for (let i = 0; i < 2; i++) await (await get()).ended;
    expect(countsOf(hub)).toEqual({ opened: 1, closed: {}, refused: 2 });
    client.reset();
    await eventually(() => hub.streams.size === 0);
    expect(countsOf(hub)).toEqual({ opened: 1, closed: { disconnected: 1 }, refused: 2 });
    await hub.close();
    await (await get()).ended;
    expect(countsOf(hub)).toEqual({ opened: 1, closed: { disconnected: 1 }, refused: 3 });
  });

  it('a stream as opened, and then as closed', async () => {
    const { hub, client, stream } = await connect();
    expect(hub.stats().closed).toEqual({});
    stream.close();
    await client.ended;
    await eventually(() => hub.streams.size === 0);
    expect([hub.stats().opened, hub.stats().closed]).toEqual([1, { closed: 1 }]);
  });

  it('as many streams opened as open or closed, when other code sends the response', async () => {
    const streams: EventStream[] = [];
    const { hub, get } = await serve(context => {
      context.stream(stream => void streams.push(stream));
      return context.answer(404, 'nothing');
    });
    expect((await get()).status).toBe(404);
    await Promise.all(streams.map(({ closed }) => closed));
    const { opened, closed, streams: open } = hub.stats();
    expect(opened).toBe(open + Object.values(closed).reduce((sum, count) => sum + count, 0));
  });
});
