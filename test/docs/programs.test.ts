import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { EventSource } from 'eventsource';
import { afterEach, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { type Program, runProgram } from '../support/program.ts';
import { root, snippet } from '../support/snippets.ts';

let program: Program | undefined;
afterEach(async () => {
  await program?.stop();
  program = undefined;
});

const page = (file: string) => readFileSync(root + file, 'utf8');

/** Output as it is whatever the hub calls its life. */
const anonymous = (text: string) => text.replaceAll(/[0-9a-f]{12}-/g, 'life-');

/** A client leaves when it has an event, and is sent the very next one where it comes back. Resolves with that. */
async function comesBack({ get }: Program, from: string, to: string): Promise<Client> {
  const hasEvent = ({ events }: Client) => events.some(({ event }) => event === undefined);
  const client = await get(from);
  await client.until(hasEvent);
  const id = client.events.at(-1)?.id ?? '';
  client.leave();
  await client.ended;
  const again = await get(to, { headers: { 'last-event-id': id } });
  await again.until(hasEvent);
  const next = id.replace(/\d+$/, position => String(Number(position) + 1));
  expect(again.events.find(({ event }) => event === undefined)?.id).toBe(next);
  return again;
}

/** Those for which there is code in the page about getting started. */
const frameworks = ['express', 'koa', 'hono', 'fastify'];

/** The server of the page about getting started, with the route for its page. */
function withPage(name: string): string {
  const mount = `app.${name === 'fastify' ? 'register' : 'use'}(sse({ hub }));\n`;
  const [before, after, ...others] = snippet('docs/getting-started.md', name).split(mount);
  expect([after, others]).toEqual([expect.any(String), []]);
  return [before, mount, snippet('docs/getting-started.md', `${name} page`), after].join('');
}

describe('the page about getting started', () => {
  it.each(frameworks)('on %s prints the shown output', async name => {
    program = await runProgram(snippet('docs/getting-started.md', name));
    const client = await program.get('/events');
    await client.until(({ text }) => text.includes('tidings'));
    const posted = await program.get('/messages?text=hello', { method: 'POST' });
    expect(posted.status).toBe(202);
    await client.until(({ text }) => text.includes('hello'));
    const output = snippet('docs/getting-started.md', 'output');
    expect(anonymous(output)).toBe(`$ curl -N localhost:3000/events\n${anonymous(client.text)}`);
    client.leave();
    await client.ended;
    await program.get('/messages?text=again', { method: 'POST' });
    const lastEventId = client.events.at(-1)?.id ?? '';
    const again = await program.get('/events', { headers: { 'last-event-id': lastEventId } });
    await again.until(({ text }) => text.includes('again'));
    const command = `$ curl -N localhost:3000/events -H 'Last-Event-ID: ${lastEventId}'`;
    const resumed = snippet('docs/getting-started.md', 'resumed');
    expect(anonymous(resumed)).toBe(anonymous(`${command}\n${again.text}`));
  });

  it.each(frameworks)('on %s serves a page, which shows posted messages', async name => {
    const html = snippet('docs/getting-started.md', 'page');
    program = await runProgram(withPage(name), html);
    const { origin, get } = program;
    const answer = await get('/');
    await answer.ended;
    expect(answer.headers['content-type']).toMatch('text/html');
    expect(answer.text).toBe(html);

    const [, script = ''] = /<script>(.*)<\/script>/s.exec(html) ?? [];
    let show = (_text: unknown) => {};
    const shown = new Promise<unknown>(resolve => {
      show = resolve;
    });
    const document = { body: { append: show }, createElement: () => {} };
    const opened: EventSource[] = [];
    class Source extends EventSource {
      constructor(path: string) {
        super(origin + path);
        opened.push(this);
      }
    }
    new Function('EventSource', 'document', script)(Source, document);
    const [source] = opened;
    await new Promise(resolve => source?.addEventListener('open', resolve));
    await get('/messages?text=hello', { method: 'POST' });
    expect(await shown).toBe('hello');
    source?.close();
  });

  it.each([
    ['Express', 'express'],
    ['Koa', 'koa'],
    ['Hono', 'hono'],
    ['Fastify', 'fastify'],
  ])('on %s is JavaScript, and imports only installed packages', (title, name) => {
    const code = withPage(name);
    const { status, stderr } = spawnSync(process.execPath, ['--check', '--input-type=module'], {
      input: code,
    });
    expect([status, String(stderr)]).toEqual([0, '']);
    const install = new RegExp(`^\`\`\`sh \\[${title}\\]\nnpm install (.*)$`, 'm');
    const installed = install.exec(page('docs/getting-started.md'))?.[1]?.split(' ') ?? [];
    const imported = [...code.matchAll(/ from '(?!node:)(.*)'/g)].map(match => match[1]);
    expect([...installed].sort()).toEqual(imported.sort());
  });
});

describe('the page about resuming', () => {
  it('shows the response to an unknown id', async () => {
    program = await runProgram(snippet('docs/getting-started.md', 'express'));
    const client = await program.get('/events', { headers: { 'last-event-id': 'from-elsewhere' } });
    await client.until(({ text }) => text.includes('reset'));
    expect(anonymous(client.text)).toBe(`:\n\n${anonymous(snippet('docs/resume.md', 'unknown'))}\n`);
  });
});

describe('the page about shutdown', () => {
  it('shuts down gracefully on SIGTERM', async () => {
    program = await runProgram(snippet('docs/shutdown.md', 'server'));
    expect((await program.get('/ready')).status).toBe(200);
    const client = await program.get('/events');
    program.signal('SIGTERM');
    expect(await client.ended).toBe(true);
    expect(client.retries).toEqual([expect.any(Number)]);
    expect(client.retries[0]).toBeGreaterThanOrEqual(1_000);
    expect(client.retries[0]).toBeLessThanOrEqual(15_000);
    expect(await program.exited).toBe(0);
  });
});

describe('the page about MCP', () => {
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const call = { id: 7, method: 'tools/call', params: { name: 'brew', _meta: { progressToken: 'p' } } };

  /** A session, and its requests. */
  async function initialize() {
    program = await runProgram(snippet('docs/mcp.md', 'server'));
    const { get } = program;
    const post = (message: object, session?: string, others = {}) => {
      const all = { ...headers, ...(session && { 'mcp-session-id': session }), ...others };
      const body = JSON.stringify(Array.isArray(message) ? message : { jsonrpc: '2.0', ...message });
      return get('/mcp', { method: 'POST', headers: all, body });
    };
    const client = await post({ id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18' } });
    const session = String(client.headers['mcp-session-id']);
    const ask = async (message: object) => {
      const answer = await post(message, session);
      await answer.ended;
      return { status: answer.status, ...JSON.parse(answer.text) };
    };
    const listen = (lastEventId?: string, of = session) =>
      get('/mcp', {
        headers: { 'mcp-session-id': of, ...(lastEventId && { 'last-event-id': lastEventId }) },
      });
    return { session, post, ask, listen, get };
  }

  it('reports progress, sends the result, and ends', async () => {
    const { post, session } = await initialize();
    const client = await post(call, session);
    expect(await client.ended).toBe(true);
    const messages = client.events.map(({ event, data }) => ({ event, ...JSON.parse(data) }));
    expect(messages.map(({ event, method, id }) => event ?? method ?? id)).toEqual([
      'notifications/progress',
      'notifications/progress',
      'notifications/progress',
      7,
    ]);
  });

  it('resumes a call whose connection broke, on a stream with its messages only', async () => {
    const { post, session, listen, get } = await initialize();
    const client = await post(call, session);
    await client.until(({ events }) => events.length === 1);
    client.reset();
    const id = client.events[0]?.id ?? '';
    const resumed = await listen(id);
    expect(await resumed.ended).toBe(true);
    expect(resumed.events.map(({ data }) => JSON.parse(data).id ?? JSON.parse(data).params.progress)).toEqual(
      [2, 3, 7],
    );
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize' });
    const other = await get('/mcp', { method: 'POST', headers, body });
    expect((await listen(id, String(other.headers['mcp-session-id']))).status).toBe(404);
  });

  it('sends messages without a request to the newest stream of a session only', async () => {
    const { listen } = await initialize();
    const older = await listen();
    await older.until(({ events }) => events.some(({ data }) => data.includes('list_changed')));
    const newer = await listen(older.events.at(-1)?.id);
    expect(await older.ended).toBe(true);
    await newer.until(({ events }) => events.some(({ data }) => data.includes('list_changed')));
    expect(newer.events.map(({ event }) => event)).not.toContain('reset');
  });

  it('responds to unknown requests with errors', async () => {
    const { ask, get, post, session } = await initialize();
    for (const method of ['toString', 'constructor', 'resources/list']) {
      expect(await ask({ id: 2, method })).toMatchObject({ id: 2, error: { code: -32_601 } });
    }
    for (const params of [undefined, null, {}]) {
      const answer = await ask({ id: 3, method: 'tools/call', params });
      expect(answer).toMatchObject({ id: 3, error: { code: -32_602 } });
    }
    const sent = { 'mcp-session-id': session, 'content-type': 'text/plain' };
    const answer = await get('/mcp', { method: 'POST', headers: sent, body: '{' });
    await answer.ended;
    expect([answer.status, JSON.parse(answer.text).error.code]).toEqual([400, -32_700]);
    expect(await ask([{ jsonrpc: '2.0', id: 4, method: 'ping' }])).toMatchObject({
      status: 400,
      error: { code: -32_600 },
    });
    expect(await ask({ id: 5, method: 'ping' })).toMatchObject({ id: 5, result: {} });
    const ping = { id: 6, method: 'ping' };
    expect((await post(ping)).status).toBe(400);
    expect((await post(ping, 'unknown')).status).toBe(404);
    expect((await post(ping, session, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await post(ping, session, { host: 'evil.example' })).status).toBe(403);
    expect((await post({ method: 'notifications/initialized' }, session)).status).toBe(202);
  });
});

describe('the page about transports', () => {
  it('streams over a plain socket, and resumes', async () => {
    program = await runProgram(snippet('docs/transport.md', 'socket'));
    const client = await comesBack(program, '/', '/');
    expect(client.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  });
});

describe('the page about brokers', () => {
  it('resumes a client in another process', async () => {
    const [broker, nodes] = ['broker', 'nodes'].map(name => snippet('docs/broker.md', name));
    program = await runProgram(`${broker}\n${nodes}`);
    await comesBack(program, '/a', '/b');
  });
});

describe('the page about sizing', () => {
  it('matches the measurements', () => {
    const table = /What a stream costs:([\s\S]*?)\n\nA delivery/.exec(page('docs/scaling.md'))?.[1] ?? '';
    const figures = table.match(/\d[\d.,]*/g) ?? [];
    expect(figures).toHaveLength(16);
    const measured = page('bench/results-xeon.md');
    expect(figures.filter(figure => !measured.includes(` ${figure} (`))).toEqual([]);
  });
});
