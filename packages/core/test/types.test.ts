import { type Channel, createHub, type Hub } from '@tidings/core';
import { expectTypeOf, it } from 'vitest';

interface Quote {
  symbol: string;
  price: number;
}

/** As a server writes it, and a browser imports it as a type. */
interface Channels {
  prices: { tick: Quote; halt: { symbol: string } };
  news: { message: string; flash: { title: string } };
  [user: `user:${string}`]: { notice: { text: string } };
}

const hub = createHub<Channels>({ onError: () => {} });

it('checks what is published where', async () => {
  await hub.publish('prices', { symbol: 'acme', price: 1 }, { event: 'tick' });
  await hub.publish('prices', { symbol: 'acme' }, { event: 'halt', key: 'acme' });
  await hub.publish('news', 'hello');
  await hub.publish('news', 'hello', { except: 'ann' });
  await hub.publish('news', { title: 'now' }, { event: 'flash' });
  await hub.publish('user:42', { text: 'hi' }, { event: 'notice' });
  const user = '42';
  await hub.publish(`user:${user}`, { text: 'hi' }, { event: 'notice' });
  await hub.publish('prices', null, { key: 'acme', gone: true });
  // @ts-expect-error: there is no such channel
  hub.publish('price', {}, { event: 'tick' });
  // @ts-expect-error: the data is another event's
  hub.publish('prices', { symbol: 'acme' }, { event: 'tick' });
  // @ts-expect-error: there is no such event
  hub.publish('prices', { symbol: 'acme', price: 1 }, { event: 'tock' });
  // @ts-expect-error: the event has a name
  hub.publish('prices', { symbol: 'acme', price: 1 });
  // @ts-expect-error: not what the channel carries
  hub.publish('news', 5);
  // @ts-expect-error: nothing says what is gone
  hub.publish('prices', null, { gone: true });
});

it('checks it on a handle, too', async () => {
  const prices = hub.channel('prices', { compact: true });
  expectTypeOf(prices.name).toEqualTypeOf<'prices'>();
  await prices.publish({ symbol: 'acme', price: 1 }, { event: 'tick' });
  await hub.publish(prices, { symbol: 'acme', price: 1 }, { event: 'tick' });
  // @ts-expect-error: the data is another event's
  prices.publish({ symbol: 'acme' }, { event: 'tick' });
  // @ts-expect-error: the data is another event's
  hub.publish(prices, { symbol: 'acme' }, { event: 'tick' });
});

it('leaves a hub without a map as it is', async () => {
  const free = createHub();
  await free.publish('anything', { at: 'all' });
  await free.publish('anything', 5, { event: 'named', key: 'k' });
  const channel = free.channel('anything');
  expectTypeOf(channel).toExtend<Channel>();
  await free.publish(channel, 'text');
  await channel.publish('text', { event: 'named' });
});

it('gives a browser the type of what an event carries', () => {
  type Tick = Channels['prices']['tick'];
  expectTypeOf<Tick>().toEqualTypeOf<Quote>();
});

it('lets a hub with a map stand where any will do', () => {
  const take = (any: Hub) => any;
  expectTypeOf(take).toBeCallableWith(hub);
});
