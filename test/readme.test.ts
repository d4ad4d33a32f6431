import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { type Program, runProgram } from './support/program.ts';
import { snippet, snippets } from './support/snippets.ts';

const code = (name: string) => snippet('README.md', name);

describe('what the README shows', () => {
  let program: Program | undefined;
  afterEach(async () => {
    await program?.stop();
    program = undefined;
  });

  it.each(['express', 'koa', 'hono'])('on %s prints what it says', async name => {
    program = await runProgram(code(name));
    const client = await program.get('/countdown');
    expect(await client.ended).toBe(true);
    expect(code('express output')).toBe(`$ curl -N localhost:3000/countdown\n${client.text}`);
    expect(client.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  });

  it.each(['express', 'koa', 'hono', 'channels'])('is JavaScript that Node takes as it is: %s', name => {
    const check = spawnSync(process.execPath, ['--check', '--input-type=module'], { input: code(name) });
    expect([check.status, String(check.stderr)]).toEqual([0, '']);
  });

  it('shows the present state of a channel, then what changes', async () => {
    program = await runProgram(code('channels'));
    const client = await program.get('/prices');
    await client.until(({ events }) => events.filter(({ event }) => event === undefined).length === 3);
    const prices = client.events
      .filter(({ event }) => event === undefined)
      .map(({ data }) => JSON.parse(data).price);
    expect([...prices].sort()).toEqual([12.3, 12.4, 7].sort());
    expect(client.events.every(({ id }) => id !== undefined)).toBe(true);
  });

  it('notifies, and drains on SIGTERM', async () => {
    program = await runProgram(snippet('docs/streams.md', 'notifications'));
    const ann = await program.get('/notifications/ann');
    const bob = await program.get('/notifications/bob');
    const headers = { 'content-type': 'application/json' };
    const posted = await program.get('/notifications/ann', { method: 'POST', headers, body: '{"n":1}' });
    expect(posted.status).toBe(202);
    await ann.until(({ events }) => events.length === 1);
    expect(ann.events[0]).toMatchObject({ event: 'notification', data: '{"n":1}' });
    program.signal('SIGTERM');
    expect(await Promise.all([ann.ended, bob.ended])).toEqual([true, true]);
    expect(bob.events).toEqual([]);
    expect(bob.retries).toHaveLength(1);
    expect(await program.exited).toBe(0);
  });

  it('works without a framework', async () => {
    program = await runProgram(snippet('docs/streams.md', 'node'));
    const client = await program.get('/');
    await client.until(({ events }) => events.length === 1);
    expect(client.text).toBe('retry: 1000\n\nevent: greeting\ndata: {"hello":"world"}\nid: 1\n\n');
  });

  it('tells a page what is there and what is missing', () => {
    const calls: unknown[] = [];
    const source = new EventTarget() as EventTarget & { onmessage?: (event: Event) => void };
    const page = new Function('EventSource', 'console', code('page'));
    page(
      function open() {
        return source;
      },
      { log: (...args: unknown[]) => calls.push(args) },
    );
    source.onmessage?.(new MessageEvent('message', { data: '{"price":1}' }));
    source.dispatchEvent(new MessageEvent('reset', { data: '{"reason":"unknown","channels":["prices"]}' }));
    expect(calls).toEqual([[{ price: 1 }], ['missing', ['prices']]]);
  });

  it('has no other code', () => {
    expect(snippets('README.md').map(({ name }) => name)).toEqual([
      'express',
      'express output',
      'koa',
      'hono',
      'channels',
      'page',
      'picture',
    ]);
  });

  it.each(['core', 'express', 'koa', 'hono', 'fastify'])('greets from the README of %s', async name => {
    const [greeting, ...others] = snippets(`packages/${name}/README.md`);
    expect(others).toEqual([]);
    program = await runProgram(greeting?.code ?? '');
    const client = await program.get('/events');
    await client.until(({ events }) => events.length === 1);
    expect(client.events[0]).toMatchObject({ event: 'greeting', data: '{"hello":"world"}' });
  });
});
