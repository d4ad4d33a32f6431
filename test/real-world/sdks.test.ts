import { setTimeout as delay } from 'node:timers/promises';
import * as mcp2 from '@modelcontextprotocol/client';
import { Client as McpClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { createHub, type Hub } from '@tidings/core';
import { sse } from '@tidings/express';
import express, { type Request, type Response } from 'express';
import { createClient } from 'graphql-sse';
import { describe, expect, type TestContext, test } from 'vitest';
import { listen } from '../support/server.ts';
import { describeSubject } from './subject.ts';

async function serve(
  handle: (req: Request, res: Response) => void,
  { onTestFinished }: TestContext,
  hub: Hub = createHub({ heartbeat: 100, onError: () => {} }),
): Promise<string> {
  const app = express();
  app.use(sse({ hub }), express.json(), handle);
  const { origin, kill } = await listen(app);
  onTestFinished(kill);
  return origin;
}

/** JSON-RPC over Streamable HTTP: one tool, which says how far it is. */
function serveMcp(context: TestContext) {
  const hub = createHub({ heartbeat: 100 });
  const calls: Request[] = [];
  const methods: string[] = [];

  async function call(id: unknown, progressToken: unknown) {
    for (let progress = 1; progress <= 5; progress++) {
      const params = { progressToken, progress, total: 5 };
      await hub.publish('call', { jsonrpc: '2.0', method: 'notifications/progress', params });
      await delay(50);
    }
    const result = { content: [{ type: 'text', text: 'done' }] };
    await hub.publish('call', { jsonrpc: '2.0', id, result });
    await hub.channel('call').end();
  }

  const origin = serve(
    (req, res) => {
      if (req.method === 'GET') {
        // A call that was cut goes on here; otherwise, this is what the server says of itself.
        const channel = req.get('Last-Event-ID') === undefined ? 'session' : 'call';
        methods.push(`GET ${channel}`);
        res.sse({ retry: 50 }).subscribe(channel);
        return;
      }
      const { id, method, params } = req.body;
      methods.push(method);
      const reply = (result: object) => res.sse().stream([{ jsonrpc: '2.0', id, result }]);
      if (method === 'initialize') {
        reply({
          protocolVersion: params.protocolVersion,
          capabilities: { tools: { listChanged: true } },
          serverInfo: { name: 'tidings', version: '1' },
        });
      } else if (method === 'tools/list') {
        reply({ tools: [{ name: 'count', inputSchema: { type: 'object' } }] });
      } else if (method === 'tools/call') {
        calls.push(req);
        res.sse({ retry: 50 }).subscribe('call');
        call(id, params._meta.progressToken);
      } else {
        res.sendStatus(202);
      }
    },
    context,
    hub,
  );
  return { hub, calls, methods, origin };
}

interface McpConnection {
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(onProgress: (progress: number) => void): Promise<object>;
  onToolsChanged(listener: () => void): void;
  close(): Promise<void>;
}

const INFO = { name: 'test', version: '1' };
const COUNT = { name: 'count', arguments: {} };

const mcpClients: { name: string; package: string; connect(url: URL): Promise<McpConnection> }[] = [
  {
    name: 'MCP over Streamable HTTP, @modelcontextprotocol/sdk',
    package: '@modelcontextprotocol/sdk',
    async connect(url) {
      const { ToolListChangedNotificationSchema } = await import('@modelcontextprotocol/sdk/types.js');
      const client = new McpClient(INFO);
      await client.connect(new StreamableHTTPClientTransport(url));
      return {
        listTools: () => client.listTools(),
        callTool: onProgress =>
          client.callTool(COUNT, undefined, { onprogress: ({ progress }) => onProgress(progress) }),
        onToolsChanged: listener =>
          client.setNotificationHandler(ToolListChangedNotificationSchema, listener),
        close: () => client.close(),
      };
    },
  },
  {
    name: 'MCP over Streamable HTTP, @modelcontextprotocol/client',
    package: '@modelcontextprotocol/client',
    async connect(url) {
      const client = new mcp2.Client(INFO);
      await client.connect(new mcp2.StreamableHTTPClientTransport(url));
      return {
        listTools: () => client.listTools(),
        callTool: onProgress =>
          client.callTool(COUNT, { onprogress: ({ progress }) => onProgress(progress) }),
        onToolsChanged: listener =>
          client.setNotificationHandler('notifications/tools/list_changed', () => listener()),
        close: () => client.close(),
      };
    },
  },
];

describe.concurrent('SDKs', () => {
  describeSubject({ name: 'graphql-sse', package: 'graphql-sse' }, () => {
    const subscribe = async (origin: string) => {
      const client = createClient({ url: origin, retryAttempts: 0 });
      const results: unknown[] = [];
      for await (const { data } of client.iterate({ query: 'subscription { news }' }))
        results.push(data?.news);
      return results;
    };
    /** Results, over heartbeats. */
    async function* results() {
      for (const news of ['good', 'ü 😀']) {
        yield { event: 'next', data: { data: { news } } };
        await delay(110);
      }
    }
    const asEvent = {
      event: ({ event }: { event: string }) => event,
      map: ({ data }: { data: unknown }) => data,
    };

    test('results, with heartbeats, and the end', async context => {
      const origin = await serve(async (_req, res) => {
        const stream = res.sse();
        await stream.stream(results(), { ...asEvent, end: false });
        stream.send('', { event: 'complete' });
        stream.close();
      }, context);
      expect(await subscribe(origin)).toEqual(['good', 'ü 😀']);
    });

    test('results from a channel, with `markers: false`', async context => {
      const hub = createHub({ heartbeat: 100 });
      const answer = async (_req: Request, res: Response) => {
        res.sse({ markers: false, retry: 50 }).subscribe('news', { from: 'start' });
        for await (const { event, data } of results()) await hub.publish('news', data, { event });
        await hub.publish('news', '', { event: 'complete' });
        await hub.channel('news').end();
      };
      expect(await subscribe(await serve((req, res) => void answer(req, res), context, hub))).toEqual([
        'good',
        'ü 😀',
      ]);
    });
  });

  for (const { connect, ...subject } of mcpClients) {
    describeSubject(subject, () => {
      test('tools are listed; a call with its progress; messages of the server', async context => {
        const { hub, origin, methods } = serveMcp(context);
        const client = await connect(new URL('/mcp', await origin));
        context.onTestFinished(() => client.close());
        expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['count']);
        const progress: number[] = [];
        expect(await client.callTool(n => progress.push(n))).toMatchObject({ content: [{ text: 'done' }] });
        expect(progress).toEqual([1, 2, 3, 4, 5]);
        const changed = new Promise<void>(resolve => client.onToolsChanged(resolve));
        await context.expect.poll(() => methods).toContain('GET session');
        await hub.publish('session', { jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
        await changed;
      });

      test('a call whose connection is aborted resumes', async context => {
        const { calls, methods, origin } = serveMcp(context);
        const client = await connect(new URL('/mcp', await origin));
        context.onTestFinished(() => client.close());
        const progress: number[] = [];
        const result = await client.callTool(n => {
          progress.push(n);
          if (n === 2) calls[0]?.socket.resetAndDestroy();
        });
        expect(result).toMatchObject({ content: [{ text: 'done' }] });
        expect(progress).toEqual([1, 2, 3, 4, 5]);
        expect(methods).toContain('GET call');
      });
    });
  }
});
