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

it('checks the events that are published to each channel', async () => {
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

it('accepts data for one of several events only if it fits each of them', async () => {
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

it('accepts an event and its data after a check of the name', async () => {
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

it('accepts null, or the data of the event, for a tombstone', async () => {
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

it('checks the same on a channel object', async () => {
  const prices = hub.channel('prices', { compact: true });
  expectTypeOf(prices.name).toEqualTypeOf<'prices'>();
  await prices.publish({ symbol: 'acme', price: 1 }, { event: 'tick' });
  await hub.publish(prices, { symbol: 'acme', price: 1 }, { event: 'tick' });
  // @ts-expect-error: the data is another event's
  prices.publish({ symbol: 'acme' }, { event: 'tick' });
  // @ts-expect-error: the data is another event's
  hub.publish(prices, { symbol: 'acme' }, { event: 'tick' });
});

it('accepts any event for a hub without a map', async () => {
  const free = createHub();
  await free.publish('anything', { at: 'all' });
  await free.publish('anything', 5, { event: 'named', key: 'k' });
  const channel = free.channel('anything');
  expectTypeOf(channel).toExtend<Channel>();
  await free.publish(channel, 'text');
  await channel.publish('text', { event: 'named' });
});

it('provides the type of the data of an event to a page', () => {
  type Tick = Channels['prices']['tick'];
  expectTypeOf<Tick>().toEqualTypeOf<Quote>();
});

it('accepts a hub with a map where any hub is accepted', () => {
  const take = (any: Hub) => any;
  expectTypeOf(take).toBeCallableWith(hub);
});

it('types the data of each event for a listener', () => {
  const listening = hub.listen(['prices', `user:${42}`], event => {
    if (event.channel === 'prices' && event.event === 'tick') {
      expectTypeOf(event.data).toEqualTypeOf<Quote>();
      // @ts-expect-error: a quote has no text
      event.data.text;
    } else if (event.event === 'notice') expectTypeOf(event.data).toEqualTypeOf<{ text: string }>();
    expectTypeOf(event.id).toEqualTypeOf<string | undefined>();
  });
  listening.close();
  hub.listen('news', ({ event, data }) => event === 'flash' && data.title, {
    filter: ({ event }) => event === 'flash',
  });
  // @ts-expect-error: there is no such channel
  hub.listen('price', () => {});
  // @ts-expect-error: there is no such event
  hub.listen('prices', () => {}, { filter: ({ event }) => event === 'tock' });
});

it('checks the items of a source', async () => {
  await hub.channel('prices').from([1], {
    event: 'tick',
    map: price => ({ symbol: 'acme', price }),
  });
  // @ts-expect-error: there is no such event
  hub.channel('prices').from([1], { event: 'tock' });
  // @ts-expect-error: no event carries that
  hub.channel('prices').from([1], { map: price => ({ amount: price }) });
});

it('checks the snapshot of a channel', () => {
  const typed = createHub<{ prices: { snapshot: Quote[]; tick: Quote }; news: { message: string } }>();
  typed.channel('prices', { snapshot: async () => [{ symbol: 'acme', price: 1 }] });
  typed.channel('news', { snapshot: () => 'anything', snapshotEvent: 'state' });
  // @ts-expect-error: a quote has a price
  typed.channel('prices', { snapshot: () => [{ symbol: 'acme' }] });
});
