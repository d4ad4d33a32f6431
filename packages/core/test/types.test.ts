import { type Channel, createHub, type Hub, type PublishArguments } from '@tidings/core';
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

it('takes for one of several events what fits each of them', async () => {
  const quote: Quote = { symbol: 'acme', price: 1 };
  const pick = <T>(...names: T[]) => names[0] as T;
  const event = pick('tick' as const, 'halt' as const);
  await hub.publish('prices', quote, { event });
  await hub.channel('prices').publish(quote, { event, key: 'acme' });
  // @ts-expect-error: it may be a tick
  hub.publish('prices', { symbol: 'acme' }, { event });
  // @ts-expect-error: it may have no name
  hub.publish('prices', quote, { event: pick(event, undefined) });
  // @ts-expect-error: it may be anything
  hub.publish('prices', quote, { event: pick<string>(event) });
});

it('takes an event and its data of one who has checked them', async () => {
  type Prices = Channels['prices'];
  const tell = <Event extends keyof Prices>(event: Event, data: Prices[Event]) =>
    hub.publish('prices', data, { event });
  await tell('halt', { symbol: 'acme' });
  const tellOf = <Event extends keyof Prices>(event: Event) =>
    // @ts-expect-error: nothing says that this is its data
    hub.publish('prices', { symbol: 'acme' }, { event });
  const pass = (...event: PublishArguments<Prices>) => hub.publish('prices', ...event);
  await pass({ symbol: 'acme' }, { event: 'halt' });
  // @ts-expect-error: the data is another event's
  pass({ symbol: 'acme' }, { event: 'tick' });
  const take = (told: { event: 'tick'; data: Quote } | { event: 'halt'; data: { symbol: string } }) => {
    if (told.event === 'tick') return hub.publish('prices', told.data, { event: told.event });
    return hub.publish('prices', told.data, { event: told.event });
  };
  await take({ event: 'halt', data: { symbol: 'acme' } });
  expectTypeOf(tellOf).toBeFunction();
});

it('takes nothing for a key that is gone, or what its event carries', async () => {
  await hub.publish('user:42', null, { key: 'a', gone: true });
  await hub.channel('prices').publish(null, { key: 'acme', gone: true });
  await hub.publish('prices', { symbol: 'acme' }, { event: 'halt', key: 'acme', gone: true });
  await hub.publish('prices', { symbol: 'acme' }, { event: 'halt', gone: true });
  // @ts-expect-error: whoever listens for a tick expects one
  hub.publish('prices', null, { event: 'tick', key: 'acme', gone: true });
  // @ts-expect-error: there is no such event
  hub.publish('prices', null, { event: 'tock', key: 'acme', gone: true });
});

it('checks the data where any name will do', async () => {
  const free = createHub<{ counts: Record<string, number> }>();
  await free.publish('counts', 1);
  await free.publish('counts', 1, { event: `at ${Date.now()}`, key: 'k' });
  // @ts-expect-error: not what the channel carries
  free.publish('counts', 'one', { event: 'named' });
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
