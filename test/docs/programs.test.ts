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

/** The server of the page about getting started, with the route for its page. */
function withPage(name: string): string {
  const mount = 'app.use(sse({ hub }));\n';
  const [before, after, ...others] = snippet('docs/getting-started.md', name).split(mount);
  expect([after, others]).toEqual([expect.any(String), []]);
  return [before, mount, snippet('docs/getting-started.md', `${name} page`), after].join('');
}

describe('what the page about getting started shows', () => {
  it.each(['express', 'koa', 'hono'])('on %s prints what it says', async name => {
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

  it.each(['express', 'koa', 'hono'])('on %s serves a page, which shows what is posted', async name => {
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
  ])('on %s is JavaScript, and all that it imports has been installed', (title, name) => {
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

describe('what the page about resuming shows', () => {
  it('is what an unknown id is answered', async () => {
    program = await runProgram(snippet('docs/getting-started.md', 'express'));
    const client = await program.get('/events', { headers: { 'last-event-id': 'from-elsewhere' } });
    await client.until(({ text }) => text.includes('reset'));
    expect(anonymous(client.text)).toBe(`:\n\n${anonymous(snippet('docs/resume.md', 'unknown'))}\n`);
  });
});

describe('what the page about shutting down shows', () => {
  it('ends its streams in order, and itself, on SIGTERM', async () => {
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

describe('what the page about MCP shows', () => {
  const call = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { _meta: { progressToken: 'p' } } };
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

  it('reports progress, answers, and ends', async () => {
    program = await runProgram(snippet('docs/mcp.md', 'server'));
    const client = await program.get('/mcp', { method: 'POST', headers, body: JSON.stringify(call) });
    expect(await client.ended).toBe(true);
    const messages = client.events.map(({ event, data }) => ({ event, ...JSON.parse(data) }));
    expect(messages.map(({ event, method, id }) => event ?? method ?? id)).toEqual([
      'notifications/progress',
      'notifications/progress',
      'notifications/progress',
      7,
    ]);
  });

  it('sends what it says unasked to the newest stream of a session, and all of it', async () => {
    program = await runProgram(snippet('docs/mcp.md', 'server'));
    const older = await program.get('/mcp');
    await older.until(({ events }) => events.some(({ data }) => data.includes('list_changed')));
    const lastEventId = older.events.at(-1)?.id ?? '';
    const newer = await program.get('/mcp', { headers: { 'last-event-id': lastEventId } });
    expect(await older.ended).toBe(true);
    await newer.until(({ events }) => events.some(({ data }) => data.includes('list_changed')));
    expect(newer.events.map(({ event }) => event)).not.toContain('reset');
  });
});

describe('what the page about transports shows', () => {
  it('streams over a bare socket, and resumes', async () => {
    program = await runProgram(snippet('docs/transport.md', 'socket'));
    const client = await comesBack(program, '/', '/');
    expect(client.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  });
});

describe('what the page about brokers shows', () => {
  it('goes on where a client was, on another node', async () => {
    const [broker, nodes] = ['broker', 'nodes'].map(name => snippet('docs/broker.md', name));
    program = await runProgram(`${broker}\n${nodes}`);
    await comesBack(program, '/a', '/b');
  });
});

describe('what the page about sizing says', () => {
  it('has been measured', () => {
    const table = /What a stream costs:([\s\S]*?)\n\nA delivery/.exec(page('docs/scaling.md'))?.[1] ?? '';
    const figures = table.match(/\d[\d.,]*/g) ?? [];
    expect(figures).toHaveLength(16);
    const measured = page('bench/results-xeon.md');
    expect(figures.filter(figure => !measured.includes(` ${figure} (`))).toEqual([]);
  });
});
