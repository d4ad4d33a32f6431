import { AsyncLocalStorage } from 'node:async_hooks';
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createHub, type EventStream, type HubOptions, type Observer } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { eventually, request } from '../support/client.ts';
import { dataOf, withId } from '../support/received.ts';
import { listen, type Running } from '../support/server.ts';
import { root } from '../support/snippets.ts';

const running: Running[] = [];
afterEach(() => {
  for (const server of running.splice(0)) server.kill();
});

const context = new AsyncLocalStorage<string>();

/** A server that calls `use` in the context of its request; the hub is made in the context `hub`. */
async function serve(options: HubOptions, use: (stream: EventStream) => unknown) {
  const hub = context.run('hub', () => createHub({ heartbeat: false, ...options }));
  const server = await listen((req, res) => {
    context.run(`request ${req.url}`, () => use(openStream(req, res, { hub })));
  });
  running.push(server);
  return { hub, connect: (path = '/', id?: string) => request(server.origin, path, withId(id)) };
}

describe('a filter runs in the context of its subscribe() call', () => {
  it('when an event is published elsewhere', async () => {
    const contexts: unknown[] = [];
    const { hub, connect } = await serve({}, stream =>
      stream.subscribe('a', {
        filter: () => {
          contexts.push(context.getStore());
          return true;
        },
      }),
    );
    const client = await connect('/one');
    await client.until(({ events }) => events.length > 0);
    // Nothing is under way that the request has begun.
    for (let turns = 0; turns < 10; turns++) await turn();
    await context.run('publisher', () => hub.publish('a', 'x'));
    await client.until(each => dataOf(each).includes('x'));
    expect(new Set(contexts)).toEqual(new Set(['request /one']));
  });

  it('when events are replayed, and when the stream was slow', async () => {
    const contexts: unknown[] = [];
    const { hub, connect } = await serve({}, stream =>
      stream.subscribe('a', {
        filter: () => {
          contexts.push(context.getStore());
          return true;
        },
      }),
    );
    const id = await hub.publish('a', 'seen');
    await hub.publish('a', 'missed');
    const client = await connect('/one', id);
    await client.until(each => dataOf(each).includes('missed'));
    client.stall();
    while (hub.stats().lagging === 0) {
      context.run('publisher', () => hub.publish('a', 'x'.repeat(20_000)));
      await turn();
    }
    context.run('publisher', () => hub.publish('a', 'last'));
    client.resume();
    await client.until(each => dataOf(each).includes('last'));
    expect(new Set(contexts)).toEqual(new Set(['request /one']));
  });

  it('each of several streams in its own', async () => {
    const contexts: unknown[] = [];
    const { hub, connect } = await serve({}, stream =>
      stream.subscribe('a', {
        filter: () => {
          contexts.push(context.getStore());
          return true;
        },
      }),
    );
    const clients = await Promise.all([connect('/one'), connect('/two')]);
    for (const client of clients) await client.until(({ events }) => events.length > 0);
    await hub.publish('a', 'x');
    for (const client of clients) await client.until(each => dataOf(each).includes('x'));
    expect(contexts.toSorted()).toEqual(['request /one', 'request /two']);
  });

  it('the context of a later subscribe(), and not that of the request', async () => {
    const contexts: unknown[] = [];
    const { hub, connect } = await serve({}, stream =>
      context.run('job', () =>
        stream.subscribe('a', {
          filter: () => {
            contexts.push(context.getStore());
            return true;
          },
        }),
      ),
    );
    const client = await connect();
    await client.until(({ events }) => events.length > 0);
    await hub.publish('a', 'x');
    await client.until(each => dataOf(each).includes('x'));
    expect(new Set(contexts)).toEqual(new Set(['job']));
  });
});

it('a snapshot runs in the context of createHub()', async () => {
  const contexts: unknown[] = [];
  const snapshot = () => {
    contexts.push(context.getStore());
    return 'state';
  };
  const { connect } = await serve({ channels: () => ({ snapshot }) }, stream => stream.subscribe('a'));
  const client = await connect('/one');
  await client.until(each => dataOf(each).includes('state'));
  expect(contexts).toEqual(['hub']);
});

it('a snapshot of hub.channel(name, options) runs in the context of that call', async () => {
  const contexts: unknown[] = [];
  const snapshot = () => {
    contexts.push(context.getStore());
    return 'state';
  };
  const { hub, connect } = await serve({}, stream => stream.subscribe('a'));
  context.run('setup', () => hub.channel('a', { snapshot }));
  const client = await connect('/one');
  await client.until(each => dataOf(each).includes('state'));
  expect(contexts).toEqual(['setup']);
});

it('callbacks of an observer run in the context of createHub(), but `opened` in that of the request', async () => {
  const contexts: Record<string, Set<unknown>> = {};
  const note = (name: string) => () => {
    contexts[name] ??= new Set();
    contexts[name].add(context.getStore());
  };
  const observer: Observer = {
    opened: note('opened'),
    headersSent: note('headersSent'),
    caughtUp: note('caughtUp'),
    round: note('round'),
    closed: note('closed'),
    published: note('published'),
    delivered: note('delivered'),
    reset: note('reset'),
    replayed: note('replayed'),
  };
  const { hub, connect } = await serve({ observer }, stream => stream.subscribe('a'));
  const id = await context.run('publisher', () => hub.publish('a', 'seen'));
  for (const lastEventId of [id, 'x-1']) {
    const client = await connect('/one', lastEventId);
    await context.run('publisher', () => hub.publish('a', 'live'));
    await client.until(each => dataOf(each).includes('live'));
    client.reset();
  }
  await eventually(() => hub.streams.size === 0);
  const { opened, ...others } = contexts;
  const names = ['caughtUp', 'closed', 'delivered', 'headersSent', 'published', 'replayed', 'reset', 'round'];
  expect(others).toEqual(Object.fromEntries(names.map(name => [name, new Set(['hub'])])));
  expect([...(opened ?? [])]).not.toContain('hub');
});

describe('a listener for the abort of a stream runs in the context of its request', () => {
  const closings: [string, (stream: EventStream, hub: ReturnType<typeof createHub>) => unknown][] = [
    ['close()', stream => stream.close()],
    ['clients.disconnect()', (_, hub) => hub.clients.disconnect('ann')],
    ['hub.close()', (_, hub) => hub.close({ within: 100, retry: [0, 0] })],
  ];

  /** A hub, a client and its stream, and the contexts in which its signal is aborted. */
  async function opened() {
    const contexts: unknown[] = [];
    const hub = context.run('hub', () => createHub({ heartbeat: false }));
    const server = await listen((req, res) => {
      context.run('request', () => {
        const stream = openStream(req, res, { hub, client: 'ann' });
        stream.signal.addEventListener('abort', () => contexts.push(context.getStore()));
      });
    });
    running.push(server);
    const client = await request(server.origin, '/');
    const [stream] = hub.streams;
    return { hub, client, stream: stream as EventStream, contexts };
  }

  it.each(closings)('by %s', async (_, close) => {
    const { hub, stream, contexts } = await opened();
    await context.run('elsewhere', () => close(stream, hub));
    await eventually(() => contexts.length > 0);
    expect(contexts).toEqual(['request']);
  });

  it('when the client disconnects', async () => {
    const { client, contexts } = await opened();
    context.run('elsewhere', () => client.reset());
    await eventually(() => contexts.length > 0);
    expect(contexts).toEqual(['request']);
  });
});

describe('without node:async_hooks', () => {
  it('filters run', async () => {
    const { getBuiltinModule } = process;
    Object.defineProperty(process, 'getBuiltinModule', { value: undefined, configurable: true });
    vi.resetModules();
    try {
      const core: typeof import('@tidings/core') = await import('@tidings/core');
      const node: typeof import('@tidings/core/node') = await import('@tidings/core/node');
      const hub = core.createHub({ heartbeat: false });
      const server = await listen((req, res) => {
        node.openStream(req, res, { hub }).subscribe('a', { filter: ({ data }) => data !== 'no' });
      });
      running.push(server);
      const client = await request(server.origin, '/');
      await client.until(({ events }) => events.length > 0);
      await hub.publish('a', 'no');
      await hub.publish('a', 'yes');
      await client.until(each => dataOf(each).includes('yes'));
      expect(dataOf(client)).toEqual(['yes']);
    } finally {
      Object.defineProperty(process, 'getBuiltinModule', { value: getBuiltinModule, configurable: true });
      vi.resetModules();
    }
  });

  it('the root entry of core imports nothing of node:', () => {
    const source = `${root}packages/core/src`;
    const importing = new Set<string>();
    const visit = (file: string) => {
      if (importing.has(file)) return;
      importing.add(file);
      const text = readFileSync(file, 'utf8');
      for (const [statement, path] of text.matchAll(/^(?:import|export)[^;]*? from '([^']+)';/gms)) {
        // Types are erased.
        if (/^(import|export) type /.test(statement)) continue;
        expect(`${file}: ${path}`).not.toMatch(/: node:/);
        if (path?.startsWith('.')) visit(fileURLToPath(new URL(path, pathToFileURL(file))));
      }
    };
    visit(`${source}/index.ts`);
    expect(readdirSync(source)).toContain('index.ts');
    expect(importing.size).toBeGreaterThan(10);
  });
});
