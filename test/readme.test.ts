import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { type Program, runProgram } from './support/program.ts';
import { root, snippet, snippets } from './support/snippets.ts';

const code = (name: string) => snippet('README.md', name);

describe('the README', () => {
  let program: Program | undefined;
  afterEach(async () => {
    await program?.stop();
    program = undefined;
  });

  it('prints the shown output, and resumes', async () => {
    program = await runProgram(code('express'));
    const { get } = program;
    const client = await get('/ticks');
    await client.until(({ events }) => events.some(({ event }) => event === undefined));
    const anonymous = (text: string) =>
      text.replaceAll(/[0-9a-f]{12}-\d+/g, 'id').replaceAll(/\d{13}/g, 'now');
    expect(anonymous(code('express output'))).toBe(
      `$ curl -N localhost:3000/ticks\n${anonymous(client.text)}`,
    );
    const id = client.events.at(-1)?.id ?? '';
    client.reset();
    const again = await get('/ticks', { headers: { 'last-event-id': id } });
    const ticks = () => again.events.filter(({ event }) => event === undefined);
    await again.until(() => ticks().length > 0);
    const next = id.replace(/\d+$/, position => String(Number(position) + 1));
    expect(ticks()[0]?.id).toBe(next);
    expect(again.events.every(({ event }) => event !== 'reset')).toBe(true);
  });

  it('has the code of the home page of the site', async () => {
    program = await runProgram(snippet('docs/index.md', 'server'));
    const client = await program.get('/ticks');
    await client.until(({ events }) => events.some(({ data }) => data.includes('time')));
  });

  it('has seven lines of JavaScript that Node.js runs unchanged', () => {
    const check = spawnSync(process.execPath, ['--check', '--input-type=module'], { input: code('express') });
    expect([check.status, String(check.stderr)]).toEqual([0, '']);
    expect(code('express').match(/^.+$/gm)).toHaveLength(7);
  });

  it('sends notifications, and shuts down gracefully on SIGTERM', async () => {
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

  it('sends a page the current state, and reloads it after a reset', () => {
    const calls: unknown[] = [];
    const source = new EventTarget() as EventTarget & { onmessage?: (event: Event) => void };
    const page = new Function('EventSource', 'console', 'location', code('page'));
    page(
      function open() {
        return source;
      },
      { log: (...args: unknown[]) => calls.push(args) },
      { reload: () => calls.push('reload') },
    );
    source.onmessage?.(new MessageEvent('message', { data: '{"time":1}' }));
    source.dispatchEvent(new MessageEvent('reset', { data: '{"reason":"unknown","channels":["ticks"]}' }));
    expect(calls).toEqual([[{ time: 1 }], 'reload']);
  });

  it('has no other code blocks', () => {
    expect(snippets('README.md').map(({ name, language }) => name ?? language)).toEqual([
      'express',
      'express output',
      'page',
      'sh',
    ]);
  });

  it('has at most 180 lines, and every file that it links exists', () => {
    const text = readFileSync(`${root}README.md`, 'utf8');
    expect(text.split('\n').length - 1).toBeLessThanOrEqual(180);
    const links = [...text.matchAll(/(?:\]\(|srcset="|src=")([^)"#]+)/g)].map(([, link = '']) => link);
    expect(links.filter(link => !link.startsWith('http') && !existsSync(root + link))).toEqual([]);
  });

  it.each(['core', 'express', 'koa', 'hono', 'fastify'])(
    'runs the example in the README of %s',
    async name => {
      const [greeting, ...others] = snippets(`packages/${name}/README.md`);
      expect(others).toEqual([]);
      program = await runProgram(greeting?.code ?? '');
      const client = await program.get('/events');
      await client.until(({ events }) => events.length === 1);
      expect(client.events[0]).toMatchObject({ event: 'greeting', data: '{"hello":"world"}' });
    },
  );
});
