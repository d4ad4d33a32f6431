import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { createHub } from '@tidings/core';
import { sse } from '@tidings/hono';
import * as ai7 from 'ai';
import * as ai5 from 'ai5';
import * as ai6 from 'ai6';
import { transformSync } from 'esbuild';
import { Hono } from 'hono';
import OpenAI from 'openai';
import type { ResumableStreamContext } from 'resumable-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Program, runProgram } from '../support/program.ts';
import { listen } from '../support/server.ts';
import { root, snippet } from '../support/snippets.ts';

const code = (name: string) => snippet('docs/llm.md', name);

interface Chunk {
  type: string;
  delta?: string;
}

/** What the versions of the transport have in common. */
interface ChatTransport {
  sendMessages(options: object): Promise<ReadableStream<Chunk>>;
  reconnectToStream(options: object): Promise<ReadableStream<Chunk> | null>;
}

const versions: [string, (options: { api: string }) => ChatTransport][] = [
  ['5', options => new ai5.DefaultChatTransport(options) as ChatTransport],
  ['6', options => new ai6.DefaultChatTransport(options) as ChatTransport],
  ['7', options => new ai7.DefaultChatTransport(options) as ChatTransport],
];

async function textOf(stream: ReadableStream<Chunk> | null): Promise<string> {
  let text = '';
  for await (const { delta = '' } of stream ?? []) text += delta;
  return text;
}

describe('the server for the AI SDK', () => {
  let program: Program;
  let chats = 0;
  beforeAll(async () => {
    program = await runProgram(code('ai sdk'));
    await program.get('/');
  });
  afterAll(() => program.stop());

  describe.each(versions)('version %s', (_, createTransport) => {
    /** A chat of its own. */
    function start() {
      const chatId = `chat-${++chats}`;
      const transport = createTransport({ api: `${program.origin}/api/chat` });
      const message = { id: '1', role: 'user', parts: [{ type: 'text', text: 'News?' }] };
      const request = { trigger: 'submit-message', chatId, messages: [message] };
      return {
        send: () => transport.sendMessages(request),
        resume: () => transport.reconnectToStream({ chatId }),
        stop: () => program.get(`/api/chat/${chatId}/stop`, { method: 'POST' }),
      };
    }

    it('sends the answer, resumes from its beginning while it is written, and then returns 204', async () => {
      const { send, resume } = start();
      expect(await resume()).toBeNull();
      const answer = await send();
      const resumed = await resume();
      expect(await Promise.all([textOf(answer), textOf(resumed)])).toEqual(
        Array(2).fill('Good news: all is well.'),
      );
      expect(await resume()).toBeNull();
      // The same chat again.
      expect(await textOf(await send())).toBe('Good news: all is well.');
    });

    it('stops the answer', async () => {
      const { send, resume, stop } = start();
      const answer = textOf(await send());
      await sleep(50);
      await stop();
      expect('Good news: all is well.'.startsWith(await answer)).toBe(true);
      expect(await answer).not.toContain('well.');
      expect(await resume()).toBeNull();
    });

    it('keeps the next answer apart from the stopped one', async () => {
      const { send } = start();
      const first = textOf(await send());
      const second = textOf(await send());
      expect(await second).toBe('Good news: all is well.');
      expect(await first).not.toContain('well.');
    });
  });
});

describe('an answer that continues without a client', () => {
  const folder = mkdtempSync(`${tmpdir()}/tidings-llm-`);
  const programs: Program[] = [];
  afterAll(async () => {
    await Promise.all(programs.map(program => program.stop()));
    rmSync(folder, { recursive: true });
  });

  /** One of several processes. It tells which questions it was asked, and which of them were cancelled. */
  async function start(): Promise<Program> {
    const broker = `createHub({ broker: sqliteBroker({ file: ${JSON.stringify(`${folder}/hub.db`)} }), `;
    const program = await runProgram(`
      import { setTimeout as sleep } from 'node:timers/promises';
      import { serve } from '@hono/node-server';
      import { sse } from '@tidings/hono';
      import { sqliteBroker } from '@tidings/sqlite';
      import { Hono } from 'hono';
      const app = new Hono();
      app.use((c, next) => sse({ hub })(c, next));
      const asked: string[] = [];
      const cancelled: string[] = [];
      async function* ask(question: string, { signal }: { signal: AbortSignal }) {
        asked.push(question);
        signal.addEventListener('abort', () => cancelled.push(question));
        for (let n = 1; !(question === 'short' && n > 3); n++) {
          yield String(n);
          await sleep(10, undefined, { signal });
        }
      }
      app.get('/asked', c => c.json({ asked, cancelled }));
      ${code('continue').replace('createHub({', broker)}
      serve({ fetch: app.fetch, port: 3000 });`);
    programs.push(program);
    await program.get('/asked');
    return program;
  }

  const post = async ({ get }: Program, path: string, body?: object) => {
    const answer = await get(path, { method: 'POST', body: JSON.stringify(body ?? {}) });
    await answer.ended;
    return answer;
  };
  const askedOf = async ({ get }: Program) => {
    const answer = await get('/asked');
    await answer.ended;
    return JSON.parse(answer.text);
  };

  it('is followed, and stopped, in another process than the one that asks the model', async () => {
    const [first, second] = await Promise.all([start(), start()]);
    const { id } = JSON.parse((await post(first, '/answers', { question: 'long' })).text);
    const clients = [await first.get(`/answers/${id}`), await second.get(`/answers/${id}`)];
    for (const client of clients) await client.until(({ events }) => events.length > 5);
    expect((await post(second, `/answers/${id}/stop`)).status).toBe(204);
    for (const client of clients) {
      expect(await client.ended).toBe(true);
      const shown = client.events.filter(({ event }) => event !== 'tidings');
      expect(shown.at(-1)).toMatchObject({ event: 'failed' });
      const tokens = shown.slice(0, -1).map(({ data }) => Number(data));
      expect(tokens).toEqual(tokens.map((_, n) => n + 1));
    }
    expect(await askedOf(first)).toEqual({ asked: ['long'], cancelled: ['long'] });
    expect(await askedOf(second)).toEqual({ asked: [], cancelled: [] });

    const short = JSON.parse((await post(second, '/answers', { question: 'short' })).text);
    const client = await first.get(`/answers/${short.id}`);
    expect(await client.ended).toBe(true);
    const tokens = client.events.filter(({ event }) => event === 'token').map(({ data }) => data);
    expect(tokens).toEqual(['1', '2', '3']);
    // A client that comes later receives all of it, and then 204.
    const late = await second.get(`/answers/${short.id}`);
    expect(await late.ended).toBe(true);
    expect(late.events.filter(({ event }) => event === 'token')).toHaveLength(3);
    const headers = { 'last-event-id': late.events.at(-1)?.id ?? '' };
    expect((await first.get(`/answers/${short.id}`, { headers })).status).toBe(204);
  });
});

it('a response is retrieved with openai-node, after a sequence number', async () => {
  const hub = createHub();
  const app = new Hono();
  app.use(sse({ hub }));
  new Function('app', transformSync(code('responses'), { loader: 'ts' }).code)(app);
  const { origin, kill } = await listen(getRequestListener(app.fetch));
  for (let n = 0; n < 4; n++) {
    const event = { type: 'response.output_text.delta', sequence_number: n, delta: String(n) };
    await hub.publish('response:resp_1', event, { event: event.type });
  }
  await hub.channel('response:resp_1').end();
  const client = new OpenAI({ baseURL: `${origin}/v1`, apiKey: 'none', maxRetries: 0 });
  const stream = await client.responses.retrieve('resp_1', { stream: true, starting_after: 1 });
  const numbers: number[] = [];
  for await (const { sequence_number } of stream) numbers.push(sequence_number);
  expect(numbers).toEqual([2, 3]);
  kill();
});

describe('the store for resumable-stream', async () => {
  const folder = mkdtempSync(`${root}test/.snippets-`);
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = `${folder}/context.ts`;
  writeFileSync(file, code('resumable'));
  const { createResumableStreamContext } = await import(/* @vite-ignore */ file);
  const context: ResumableStreamContext = createResumableStreamContext();

  /** A stream of texts, and how to write and close it. */
  function source() {
    let controller!: ReadableStreamDefaultController<string>;
    const stream = new ReadableStream<string>({
      start(created) {
        controller = created;
      },
    });
    return { stream, write: (text: string) => controller.enqueue(text), close: () => controller.close() };
  }

  const read = async (stream: ReadableStream<string> | null | undefined) => {
    let text = '';
    for await (const part of stream ?? []) text += part;
    return text;
  };

  it('creates a stream, and resumes it while it is written', async () => {
    const { stream, write, close } = source();
    expect(await context.hasExistingStream('a')).toBeNull();
    expect(await context.resumeExistingStream('a')).toBeUndefined();
    const created = await context.resumableStream('a', () => stream);
    write('Good\r');
    write('\n news');
    await sleep(10);
    expect(await context.hasExistingStream('a')).toBe(true);
    const resumed = await context.resumableStream('a', () => {
      throw new Error('made twice');
    });
    const skipped = await context.resumeExistingStream('a', 6);
    write('\u2028!');
    close();
    expect(await Promise.all([created, resumed, skipped].map(read))).toEqual([
      'Good\r\n news\u2028!',
      'Good\r\n news\u2028!',
      ' news\u2028!',
    ]);
    expect(await context.hasExistingStream('a')).toBe('DONE');
    expect(await context.resumeExistingStream('a')).toBeNull();
    expect(await context.resumableStream('a', () => stream)).toBeNull();
  });
});
