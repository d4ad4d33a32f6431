// What a page writes: checked with the types of a browser, and of nothing else.
import { connect, type Events, type State } from '@tidings/client';
import type { Answers, Channels } from './channels.ts';

/** Fails unless both are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_same: Same<A, B>) => {};

const events = connect<Channels>('/events', {
  headers: async ({ rejected }) => ({ authorization: `Bearer ${rejected ?? ''}` }),
  credentials: 'include',
  fetch,
  storage: sessionStorage,
  signal: AbortSignal.timeout(1),
});
events.on('tick', ({ event, data, id }) => {
  same<typeof event, 'tick'>(true);
  same<typeof data, { symbol: string; price: number; at: string }>(true);
  same<typeof id, string | undefined>(true);
});
events.on('notice', ({ data }) => data.text);
events.on('message', ({ data }) => data.title);
events.on('halt', ({ data }) => {
  same<typeof data, { symbol: string } | { reason: string }>(true);
});
events.on('reset', ({ data }) => data.channels.length + data.reason.length);
events.on('revoked', ({ data }) => data.channels.length);
events.on('state', state => {
  same<typeof state, State>(true);
});
const remove: () => void = events.on('tick', () => {});
remove();
// @ts-expect-error: nothing of that name is published
events.on('tock', () => {});
// @ts-expect-error: it carries something else
events.on('tick', ({ data }) => data.reason);

export async function iterate(): Promise<void> {
  for await (const event of events) {
    if (event.event === 'tick') event.data.price.toFixed();
    if (event.event === 'reset') event.data.reason.slice();
    // @ts-expect-error: nothing of that name is published
    if (event.event === 'tock') return;
  }
}

// @ts-expect-error: without `text`, the text of an answer would be parsed
connect<Answers>('/answer');
// @ts-expect-error: `usage` is not text
connect<Answers>('/answer', { text: ['usage'] });
const answers = connect<Answers>('/answer', { text: ['message'], body: JSON.stringify({ question: '?' }) });
answers.on('message', ({ data }) => {
  same<typeof data, string>(true);
});
answers.on('usage', ({ data }) => data.tokens);

const anything = connect('/events');
anything.on('whatever', ({ data }) => {
  same<typeof data, unknown>(true);
});
anything.on('reset', ({ data }) => data.channels);
export const kept: Events[] = [anything];
