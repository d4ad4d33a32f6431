import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Client, request } from './support/client.ts';
import { freePort } from './support/server.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Snippet {
  file: string;
  name: string | undefined;
  code: string;
}

/** Every block of code in a README, and the name that the comment before it gives it. */
function snippets(file: string): Snippet[] {
  const text = readFileSync(root + file, 'utf8');
  const blocks = text.matchAll(/(?:<!-- test: (.*) -->\n)?```(?:ts|js|console)\n([\s\S]*?)```/g);
  return [...blocks].map(([, name, code = '']) => ({ file, name, code }));
}

const readme = snippets('README.md');
const code = (name: string) => readme.find(snippet => snippet.name === name)?.code ?? '';

describe('what the README shows', () => {
  // Beside this file, so that the packages are found as from any other.
  let folder: string;
  let port: number;
  let program: ChildProcess | undefined;

  beforeAll(() => {
    folder = mkdtempSync(`${root}test/.readme-`);
    return () => rmSync(folder, { recursive: true });
  });
  afterEach(() => {
    program?.kill('SIGKILL');
  });

  async function run(source: string): Promise<void> {
    port = await freePort();
    const local = source
      .replace('listen(3000', `listen(${port}, '127.0.0.1'`)
      .replace('port: 3000', `port: ${port}, hostname: '127.0.0.1'`);
    expect(local).not.toBe(source);
    const file = `${folder}/${port}.ts`;
    writeFileSync(file, local);
    program = spawn(process.execPath, ['--import', 'tsx', file], { stdio: ['ignore', 'inherit', 'inherit'] });
  }

  /** Asks until the program listens. */
  async function get(path: string, options?: Parameters<typeof request>[2]): Promise<Client> {
    for (;;) {
      try {
        return await request(`http://127.0.0.1:${port}`, path, options);
      } catch (error) {
        if ((error as { code?: string }).code !== 'ECONNREFUSED') throw error;
        await new Promise(resolve => setTimeout(resolve, 50));
      }
    }
  }

  it.each(['express', 'koa', 'hono'])('on %s prints what it says', async name => {
    await run(code(name));
    const client = await get('/countdown');
    expect(await client.ended).toBe(true);
    expect(code('express output')).toBe(`$ curl -N localhost:3000/countdown\n${client.text}`);
    expect(client.headers['content-type']).toBe('text/event-stream');
  });

  it('shows the present state of a channel, then what changes', async () => {
    await run(code('channels'));
    const client = await get('/prices');
    await client.until(({ events }) => events.filter(({ event }) => event === undefined).length === 3);
    const prices = client.events
      .filter(({ event }) => event === undefined)
      .map(({ data }) => JSON.parse(data).price);
    expect([...prices].sort()).toEqual([12.3, 12.4, 7].sort());
    expect(client.events.every(({ id }) => id !== undefined)).toBe(true);
  });

  it('notifies, and drains on SIGTERM', async () => {
    await run(code('notifications'));
    const ann = await get('/notifications/ann');
    const bob = await get('/notifications/bob');
    const headers = { 'content-type': 'application/json' };
    const posted = await get('/notifications/ann', { method: 'POST', headers, body: '{"n":1}' });
    expect(posted.status).toBe(202);
    await ann.until(({ events }) => events.length === 1);
    expect(ann.events[0]).toMatchObject({ event: 'notification', data: '{"n":1}' });
    program?.kill('SIGTERM');
    expect(await Promise.all([ann.ended, bob.ended])).toEqual([true, true]);
    expect(bob.events).toEqual([]);
    expect(bob.retries).toHaveLength(1);
    expect(program?.exitCode ?? (await once(program as ChildProcess, 'exit'))[0]).toBe(0);
  });

  it('works without a framework', async () => {
    await run(code('node'));
    const client = await get('/');
    await client.until(({ events }) => events.length === 1);
    expect(client.text).toBe('retry: 1000\n\nid: 1\nevent: greeting\ndata: {"hello":"world"}\n\n');
  });

  it('tells a page what is there and what is missing', () => {
    const calls: unknown[] = [];
    const source = new EventTarget() as EventTarget & { onmessage?: (event: Event) => void };
    const page = new Function('EventSource', 'show', 'forget', code('page'));
    page(
      function open() {
        return source;
      },
      (data: unknown) => calls.push(['show', data]),
      (channels: unknown) => calls.push(['forget', channels]),
    );
    source.onmessage?.(new MessageEvent('message', { data: '{"price":1}' }));
    source.dispatchEvent(new MessageEvent('reset', { data: '{"reason":"unknown","channels":["prices"]}' }));
    expect(calls).toEqual([
      ['show', { price: 1 }],
      ['forget', ['prices']],
    ]);
  });

  it('has types that check what is published where', { timeout: 60_000 }, () => {
    const check = (source: string) => {
      const file = `${folder}/types.ts`;
      writeFileSync(file, source);
      const flags = ['--noEmit', '--strict', '--target', 'es2024', '--skipLibCheck', '--types', 'node'];
      const modules = ['--module', 'preserve', '--allowImportingTsExtensions', '--ignoreConfig'];
      const { stdout } = spawnSync(process.execPath, [
        `${root}node_modules/typescript/bin/tsc`,
        ...flags,
        ...modules,
        file,
      ]);
      return String(stdout);
    };
    expect(check(code('types'))).toBe('');
    expect(check(code('types').replace('12.3', "'much'"))).toContain('error TS');
    writeFileSync(`${folder}/server.ts`, code('types'));
    expect(check(code('typed page'))).toBe('');
    expect(check(code('typed page').replace("'tick'", "'tock'"))).toContain('error TS');
  });

  it('has no other code', () => {
    expect(readme.map(snippet => snippet.name)).toEqual([
      'express',
      'express output',
      'koa',
      'hono',
      'channels',
      'page',
      'types',
      'typed page',
      'notifications',
      'node',
    ]);
  });

  it.each(['core', 'express', 'koa', 'hono'])('greets from the README of %s', async name => {
    const [snippet, ...others] = snippets(`packages/${name}/README.md`);
    expect(others).toEqual([]);
    await run(snippet?.code ?? '');
    const client = await get('/events');
    await client.until(({ events }) => events.length === 1);
    expect(client.events[0]).toMatchObject({ event: 'greeting', data: '{"hello":"world"}' });
  });
});
