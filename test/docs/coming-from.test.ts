import { afterEach, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { type Program, runProgram } from '../support/program.ts';
import { snippet } from '../support/snippets.ts';

const post = (data: unknown) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(data),
});

/** What the handlers of a page see, which listens for everything an application has sent. */
const seen = ({ events }: Client) =>
  events.filter(({ event }) => event !== 'tidings').map(({ event = 'message', data }) => `${event} ${data}`);

/** From what, and what a client that drives the program is to see. */
const migrations: {
  from: string;
  drive(program: Program): Promise<Client>;
  events: string[];
}[] = [
  {
    from: 'better-sse',
    async drive(program) {
      const client = await program.get('/prices');
      await client.until(({ events }) => events.length > 0);
      await program.get('/prices', post({ symbol: 'acme', price: 12.3 }));
      await program.get('/prices', post({ symbol: 'acme', price: 'line\nbreak' }));
      await client.until(() => seen(client).length === 3);
      return client;
    },
    events: [
      'welcome {"currency":"EUR"}',
      'tick {"symbol":"acme","price":12.3}',
      'tick {"symbol":"acme","price":"line\\nbreak"}',
    ],
  },
  {
    from: 'express-sse',
    async drive(program) {
      const client = await program.get('/news');
      await client.until(() => seen(client).length === 2);
      await program.get('/news', post({ title: 'tomorrow' }));
      await client.until(() => seen(client).length === 3);
      return client;
    },
    events: ['message {"title":"yesterday"}', 'message {"title":"today"}', 'headline {"title":"tomorrow"}'],
  },
  {
    from: 'hono',
    async drive(program) {
      const client = await program.get('/countdown');
      expect(await client.ended).toBe(true);
      return client;
    },
    events: ['tick {"n":3}', 'tick {"n":2}', 'tick {"n":1}'],
  },
];

const code = (from: string, when: string) => snippet(`docs/from-${from}.md`, `${from} ${when}`);

describe('the pages about coming from other libraries', () => {
  let program: Program | undefined;
  afterEach(async () => {
    await program?.stop();
    program = undefined;
  });

  describe.each(migrations)('from $from', ({ from, drive, events }) => {
    it.each(['before', 'after'])('%s', async when => {
      program = await runProgram(code(from, when));
      const client = await drive(program);
      expect(client.headers['content-type']).toMatch(/^text\/event-stream/);
      expect(seen(client)).toEqual(events);
    });
  });

  it('resumes after the last event, where better-sse starts again', async () => {
    for (const [when, ticks] of [
      ['before', []],
      ['after', ['tick [2]']],
    ] as const) {
      program = await runProgram(code('better-sse', when));
      const client = await program.get('/prices');
      await client.until(({ events }) => events.length > 0);
      await program.get('/prices', post([1]));
      await client.until(({ events }) => events.some(({ event }) => event === 'tick'));
      client.leave();
      await client.ended;
      await program.get('/prices', post([2]));
      const id = client.events.at(-1)?.id ?? '';
      const again = await program.get('/prices', { headers: { 'last-event-id': id } });
      await again.until(() => seen(again).length > ticks.length);
      expect(seen(again), when).toEqual(['welcome {"currency":"EUR"}', ...ticks]);
      await program.stop();
      program = undefined;
    }
  });

  it('does not open an ended source again, where streamSSE does', async () => {
    for (const [when, status] of [
      ['before', 200],
      ['after', 204],
    ] as const) {
      program = await runProgram(code('hono', when));
      const client = await program.get('/countdown');
      await client.ended;
      const id = client.events.at(-1)?.id ?? '';
      const again = await program.get('/countdown', { headers: { 'last-event-id': id } });
      expect(again.status, when).toBe(status);
      await again.ended;
      await program.stop();
      program = undefined;
    }
  });

  it('sends the greeting only to the new client, where express-sse sends it to all', async () => {
    for (const [when, count] of [
      ['before', 4],
      ['after', 2],
    ] as const) {
      program = await runProgram(code('express-sse', when));
      const client = await program.get('/news');
      const other = await program.get('/news');
      await other.until(() => seen(other).length === 2);
      await program.get('/news', post({ title: 'tomorrow' }));
      await client.until(() => seen(client).some(event => event.startsWith('headline')));
      expect(
        seen(client).filter(event => event.startsWith('message')),
        when,
      ).toHaveLength(count);
      await program.stop();
      program = undefined;
    }
  });
});
