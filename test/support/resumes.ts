import { expect } from 'vitest';
import type { Client } from './client.ts';
import type { Program } from './program.ts';

/** The data of its messages, without markers. */
export const messagesOf = ({ events }: Client) =>
  events.filter(({ event }) => event === undefined).map(({ data }) => JSON.parse(data));

/**
 * Checks that a program which publishes at `POST /messages?text=…` delivers that at `path`, and what a client has missed.
 *
 * @returns the client that has resumed.
 */
export async function deliversAndResumes(program: Program, path: string): Promise<Client> {
  const publish = async (text: string) => {
    const response = await program.get(`/messages?text=${text}`, { method: 'POST' });
    await response.ended;
  };
  const first = await program.get(path);
  await first.until(({ events }) => events.length > 0);
  await publish('one');
  await first.until(client => messagesOf(client).length === 1);
  first.leave();
  await first.ended;
  await publish('two');
  const headers = { 'last-event-id': first.events.at(-1)?.id ?? '' };
  const second = await program.get(path, { headers });
  await second.until(client => messagesOf(client).length === 1);
  expect([messagesOf(first), messagesOf(second)]).toEqual([[{ text: 'one' }], [{ text: 'two' }]]);
  return second;
}
