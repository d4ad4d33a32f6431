import type { Client } from './client.ts';

// What the tests of channels ask about a response.

/** The events that a page sees: no markers. */
export const seen = ({ events }: Client) => events.filter(({ event }) => event !== 'tidings');

export const dataOf = (client: Client) =>
  seen(client)
    .filter(({ event }) => event !== 'reset')
    .map(({ data }) => data);

export const resetsOf = (client: Client) =>
  seen(client)
    .filter(({ event }) => event === 'reset')
    .map(({ data }) => JSON.parse(data) as { reason: string; channels: string[] });

/** What an EventSource stores: the id of the last event that had one. */
export const lastIdOf = ({ events }: Client) => events.findLast(({ id }) => id !== undefined)?.id;

export const withId = (lastEventId: string | undefined) =>
  lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } };
