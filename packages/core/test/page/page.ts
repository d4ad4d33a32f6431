// What a page writes: checked with the types of a browser, and of nothing else.
import { addListeners, type EventsOf, parse, type Reset, type TypedEventSource } from '@tidings/core/client';
import type { Channels } from './channels.ts';

/** Fails unless both are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_same: Same<A, B>) => {};

const prices: TypedEventSource<Channels['prices']> = new EventSource('/prices');
prices.addEventListener('tick', event => {
  const quote = parse(event);
  same<typeof quote, { symbol: string; price: number; at: string }>(true);
  same<typeof quote, { symbol: string }>(false);
  const id: string = event.lastEventId;
  return [id, event.data.length];
});
prices.addEventListener('reset', event => {
  const reset = parse(event);
  same<typeof reset, Reset>(true);
});
prices.addEventListener('snapshot', event => {
  const state = parse(event);
  same<typeof state, unknown>(true);
});
prices.addEventListener('open', event => event.type, { once: true });
prices.addEventListener('tick', event => event.data, { signal: AbortSignal.timeout(1) });
prices.onerror = () => prices.close();
same<typeof prices.readyState, number>(true);
const onTick = (event: MessageEvent) => event.data;
prices.addEventListener('tick', onTick, { once: true });
prices.removeEventListener('tick', onTick);
// @ts-expect-error: nothing of that name is published there
prices.addEventListener('tock', () => {});
// @ts-expect-error: nor is it to be removed
prices.removeEventListener('tock', () => {});
// @ts-expect-error: it carries something else
prices.addEventListener('halt', event => parse(event).price);
// @ts-expect-error: nothing without a name is published there
prices.onmessage = event => event.data.length;

const news: TypedEventSource<Channels['news']> = new EventSource('/news');
news.onmessage = event => {
  same<typeof event.data, string>(true);
  // @ts-expect-error: a string is sent as it is
  parse(event);
};

const all: TypedEventSource<EventsOf<Channels, 'prices' | 'news' | `user:${string}`>> = new EventSource('/');
all.addEventListener('tick', event => parse(event).price);
all.addEventListener('notice', event => parse(event).text);
all.addEventListener('halt', event => {
  const halt = parse(event);
  same<typeof halt, { symbol: string } | { reason: string }>(true);
});
// @ts-expect-error: nothing of that name is published anywhere
all.addEventListener('tock', () => {});

const withState: TypedEventSource<{ snapshot: number[]; mixed: string | number[] }> = new EventSource(
  '/state',
);
withState.addEventListener('snapshot', event => {
  const state = parse(event);
  same<typeof state, number[]>(true);
});
withState.addEventListener('mixed', event => {
  same<typeof event.data, string>(true);
});

prices.addEventListener('revoked', event => {
  const { channels } = parse(event);
  same<typeof channels, string[]>(true);
});
prices.addEventListener('tidings', event => {
  same<typeof event.data, string>(true);
});
const remove = addListeners(prices, {
  tick: event => parse(event).price,
  halt: event => parse(event).symbol,
  reset: event => parse(event).channels,
});
remove();
// @ts-expect-error: nothing of that name is published there
addListeners(prices, { tock: () => {} });
