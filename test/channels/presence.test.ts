import { createHub, type HubOptions, type PresenceOptions } from '@tidings/core';
import { sqliteBroker } from '@tidings/sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import { DatabaseFile } from '../brokers/sqlite-setup.ts';
import { eventually } from '../support/client.ts';
import { open, wait } from '../support/memory-stream.ts';

const ending: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** A hub whose clients leave soon after they have closed. The clock of the hub is as fine as that. */
function start(presence: Partial<PresenceOptions> = {}, options: HubOptions = {}) {
  const errors: string[] = [];
  const hub = createHub({
    heartbeat: 160,
    presence: { channel: 'here', linger: 50, ...presence },
    onError: (error, { stage }) => errors.push(`${stage}: ${error}`),
    ...options,
  });
  ending.push(() => hub.close({ within: 0 }));
  /** What a page that follows the list is told. */
  const follow = () => {
    const { stream, transport } = open(hub);
    stream.subscribe('here');
    return {
      get changes() {
        return [...transport.text.matchAll(/event: (came|left)\ndata: (.+)/g)].map(([, event, data]) => {
          return `${event} ${data}`;
        });
      },
      /** The same, without its braces, for clients without data. */
      get names() {
        return this.changes.map(change => change.replace(/\{"client":"(\w+)"\}/, '$1'));
      },
    };
  };
  const connect = (client: string) => open(hub, undefined, { client }).stream;
  return { hub, errors, follow, connect };
}

describe('presence in one process', () => {
  it('publishes came and left once for all tabs of a client', async () => {
    const { hub, follow, connect } = start();
    const page = follow();
    const tabs = [connect('ann'), connect('ann'), connect('bob')] as const;
    await eventually(() => page.names.length === 2);
    expect(await hub.clients.count()).toBe(2);
    tabs[0].close();
    tabs[2].close();
    await eventually(() => page.names.length === 3);
    expect(page.names).toEqual(['came ann', 'came bob', 'left bob']);
    tabs[1].close();
    await eventually(() => page.names.length === 4);
    expect(page.names.at(-1)).toBe('left ann');
    expect(await hub.clients.count()).toBe(0);
  });

  it('sends the list to a page that connects later', async () => {
    const { follow, connect } = start();
    const first = follow();
    const left = connect('bob');
    connect('ann');
    await eventually(() => first.names.length === 2);
    left.close();
    await eventually(() => first.names.length === 3);
    const second = follow();
    await eventually(() => second.names.includes('came ann'));
    expect(second.names).not.toContain('came bob');
  });

  it('publishes nothing for a reload', async () => {
    const { follow, connect } = start({ linger: 5_000 });
    const page = follow();
    connect('ann').close();
    connect('ann').close();
    const last = connect('ann');
    connect('bob');
    await eventually(() => page.names.length === 2);
    await wait(20);
    expect(page.names).toEqual(['came ann', 'came bob']);
    expect(last.signal.aborted).toBe(false);
  });

  it('contains the data of the first stream of a client', async () => {
    const { follow, connect, errors } = start({
      data({ client }) {
        if (client === 'bob') throw new Error('no data');
        return { name: client?.toUpperCase() };
      },
    });
    const page = follow();
    connect('ann');
    connect('bob');
    await eventually(() => page.changes.length === 2);
    expect(page.changes).toEqual(['came {"client":"ann","data":{"name":"ANN"}}', 'came {"client":"bob"}']);
    expect(errors).toEqual(['presence: Error: no data']);
  });

  it('lists a client again after other code has deleted it', async () => {
    const { hub, follow, connect } = start();
    const page = follow();
    connect('ann');
    await eventually(() => page.names.length === 1);
    await hub.publish('here', { client: 'ann' }, { event: 'left', key: 'ann', gone: true });
    await eventually(() => page.names.length === 3);
    expect(page.names).toEqual(['came ann', 'left ann', 'came ann']);
  });

  it('counts 10,000 clients', async () => {
    const { hub, connect } = start();
    const streams = Array.from({ length: 10_000 }, (_, index) => connect(`client ${index}`));
    while ((await hub.clients.count()) < 10_000) await wait(5);
    for (const stream of streams) stream.close();
    while ((await hub.clients.count()) > 0) await wait(5);
  });

  it('is neither a subscriber of its channel nor a stream', async () => {
    const { hub, connect } = start();
    connect('ann');
    await hub.clients.count();
    expect(hub.channel('here').subscriberCount).toBe(0);
    expect(hub.stats().streams).toBe(1);
  });
});

describe('presence in two processes', () => {
  function two(presence?: Partial<PresenceOptions>) {
    const file = new DatabaseFile();
    const hub = () => start(presence, { broker: sqliteBroker({ file: file.path }) });
    return [hub(), hub()] as const;
  }

  it('publishes came and left once for all processes', async () => {
    const [a, b] = two();
    const pages = [a.follow(), b.follow()];
    const tabs = [a.connect('ann'), b.connect('ann'), a.connect('ann'), b.connect('bob')] as const;
    await eventually(() => pages.every(({ names }) => names.length === 2));
    expect(await Promise.all([a.hub.clients.count(), b.hub.clients.count()])).toEqual([2, 2]);
    tabs[0].close();
    tabs[1].close();
    tabs[3].close();
    await eventually(() => pages.every(({ names }) => names.length === 3));
    for (const { names } of pages) {
      expect([...names].sort()).toEqual(['came ann', 'came bob', 'left bob']);
    }
    tabs[2].close();
    await eventually(() => pages.every(({ names }) => names.at(-1) === 'left ann'));
  });

  it('publishes nothing for a client that moves to another process', async () => {
    const [a, b] = two({ linger: 500 });
    const page = b.follow();
    const first = a.connect('ann');
    await eventually(() => page.names.length === 1);
    first.close();
    b.connect('ann');
    // When `bob` has left, `ann` would have left.
    a.connect('bob').close();
    await eventually(() => page.names.includes('left bob'));
    expect(page.names.filter(name => name.endsWith('ann'))).toEqual(['came ann']);
  });

  it('publishes nothing for a process that closes while its clients reconnect', async () => {
    const [a, b] = two();
    const page = b.follow();
    a.connect('ann');
    a.connect('bob');
    await eventually(() => page.names.length === 2);
    await a.hub.close({ within: 100, retry: [0, 20_000] });
    b.connect('ann');
    await wait(300);
    expect(page.names.sort()).toEqual(['came ann', 'came bob']);
  });

  it('calls again after the broker has failed, and removes clients that disconnected meanwhile', async () => {
    const file = new DatabaseFile();
    const broker = sqliteBroker({ file: file.path });
    const lease = broker.lease?.bind(broker);
    let failures = 0;
    broker.lease = async (set, change) => {
      const result = await lease?.(set, change);
      // What it has changed is lost.
      if (failures-- > 0 || result === undefined) throw new Error('no reply');
      return result;
    };
    const { follow, connect, errors } = start({}, { broker });
    const page = follow();
    failures = 1;
    const ann = connect('ann');
    await eventually(() => page.names.length === 1);
    failures = 1;
    ann.close();
    await eventually(() => page.names.length === 2);
    expect(page.names).toEqual(['came ann', 'left ann']);
    expect(errors).toEqual(Array(2).fill('presence: Error: no reply'));
  });
});

describe('hub.clients.count()', () => {
  it('counts the clients of the process, without a broker and without presence', async () => {
    const hub = createHub();
    open(hub, undefined, { client: 'ann' });
    open(hub, undefined, { client: 'ann' });
    open(hub);
    expect(await hub.clients.count()).toBe(1);
  });

  it('needs presence if there is a broker', async () => {
    const hub = createHub({ broker: sqliteBroker({ file: new DatabaseFile().path }) });
    ending.push(() => hub.close({ within: 0 }));
    await expect(hub.clients.count()).rejects.toMatchObject({ code: 'invalid-option' });
  });

  it.each([
    ['presence', 'here'],
    ['channel', { channel: '' }],
    ['presence.linger', { channel: 'here', linger: false }],
    ['presence.data', { channel: 'here', data: 'name' }],
  ])('refuses invalid options: %s', (name, presence) => {
    // @ts-expect-error none of them is typed
    expect(() => createHub({ presence })).toThrow(name);
  });

  it('refuses a broker without leases', () => {
    const broker = sqliteBroker({ file: '/nowhere' });
    Object.assign(broker, { lease: undefined });
    expect(() => createHub({ broker, presence: { channel: 'here' } })).toThrow(/no `lease`/);
  });
});
