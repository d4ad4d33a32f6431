import { afterEach, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { type Program, runProgram } from '../support/program.ts';
import { snippet } from '../support/snippets.ts';

let program: Program;
afterEach(() => program.stop());

const messagesOf = ({ events }: Client) =>
  events.filter(({ event }) => event === undefined).map(({ data }) => JSON.parse(data));

describe.each(['nest express', 'nest fastify', 'h3', 'elysia'])(
  'what the page about frameworks shows: %s',
  name => {
    it('delivers, resumes, and ends with the process', async () => {
      program = await runProgram(snippet('docs/frameworks.md', name));
      const publish = async (text: string) => {
        const response = await program.get(`/messages?text=${text}`, { method: 'POST' });
        await response.ended;
      };
      const first = await program.get('/events');
      await first.until(({ events }) => events.length > 0);
      await publish('one');
      await first.until(client => messagesOf(client).length === 1);
      first.leave();
      await first.ended;
      await publish('two');
      const headers = { 'last-event-id': first.events.at(-1)?.id ?? '' };
      const second = await program.get('/events', { headers });
      await second.until(client => messagesOf(client).length === 1);
      expect([messagesOf(first), messagesOf(second)]).toEqual([[{ text: 'one' }], [{ text: 'two' }]]);
      if (!name.startsWith('nest')) return;
      const ticks = await program.get('/ticks');
      await ticks.until(client => messagesOf(client).length === 2);
      expect(messagesOf(ticks)).toEqual([{ n: 0 }, { n: 1 }]);
      program.signal('SIGTERM');
      await Promise.all([second.ended, ticks.ended, program.exited]);
    });
  },
);
