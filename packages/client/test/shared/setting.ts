import type { ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import type { Events, ReceivedEvent } from '@tidings/client';
import { onTestFinished } from 'vitest';
import { Chance } from '../../../../test/model/chance.ts';
import type { StreamChannel } from '../../src/control/stream-channels.ts';
import type { Message, Relay, RelayedEvent } from '../../src/shared/messages.ts';
import { serve, until } from '../harness.ts';
import { FakeBroadcastChannel, fakeLocks } from './fake-browser.ts';
import { FakeTab } from './fake-tab.ts';

/** The id of a position. */
export const id = (position: number, suffix = '') => `e-${position}${suffix}`;

/** An event as it is sent; `isOlder`: without an id, as one that is older than the position of its stream. */
export const text = (channel: string, position: number, isOlder = false) =>
  `channel: ${channel}\n${isOlder ? 'position' : 'id'}: ${id(position)}\ndata: ${position}\n\n`;
export const marker = (at: string) => `id: ${at}\nevent: tidings\ndata:\n\n`;

/** The same as an event that a leader passes on. */
export function relayed(channel: string, position: number, isOlder = false): RelayedEvent {
  const at = isOlder ? { id: undefined, position: id(position) } : { id: id(position) };
  return { event: 'message', data: `${position}`, channel, isNotice: false, ...at };
}

const hold = (tab: FakeTab, lock: string) =>
  void tab.run(() => fakeLocks.request(lock, {}, () => new Promise(() => {})));

/** A server and a browser with one tab. The test writes each response, and speaks for the other tabs. */
export async function open(at: string | undefined) {
  const site = await serve();
  const streams: ServerResponse[] = [];
  const requested: (string | undefined)[] = [];
  /** Requests to the control route: after which id, and the response. */
  const changes: { subscribe: string[]; after: string | undefined; store(position: number): void }[] = [];
  site.respond = async (req, res) => {
    if (req.method !== 'POST') {
      requested.push(req.headers['last-event-id'] as string | undefined);
      res.writeHead(200, { 'content-type': 'text/event-stream', 'tidings-stream': `${streams.push(res)}` });
      res.flushHeaders();
      return;
    }
    const { lastEventId: after, subscribe } = (await json(req)) as {
      lastEventId?: string;
      subscribe: string[];
    };
    const store = (position: number) => res.writeHead(204, { 'tidings-position': id(position) }).end();
    changes.push({ subscribe, after, store });
  };
  const name = `tidings:${site.url}`;
  const others = new FakeTab(new Chance(1));
  const channel = others.run(() => new FakeBroadcastChannel(name));
  const heard: Message[] = [];
  channel.onmessage = ({ data }) => heard.push(data as Message);
  const happened: unknown[][] = [];
  const tab = new FakeTab(new Chance(1), (...what) => happened.push(what));
  onTestFinished(() => {
    tab.close();
    others.close();
    channel.close();
  });
  return {
    site,
    streams,
    requested,
    changes,
    heard,
    say: (message: Message) => channel.postMessage(message),
    /** Resolves when the tab has heard a message of a type. */
    hasHeard: (type: Message['type']) =>
      until(() => happened.some(([what, heard]) => what === 'hears' && heard === type)),
    /** Another tab has the lock until it is closed. */
    lead: (by = others) => hold(by, name),
    /** Another tab lives, with this name. */
    live: (other: string) => hold(others, `${name} ${other}`),
    others,
    connect: (): Events =>
      tab.run(() => site.connect({ shared: true, control: '/control', ...(at && { lastEventId: at }) })),
    subscribe: (events: Events, channel: string) => tab.run(() => events.subscribe(channel)),
    unsubscribe: (events: Events, channel: string) => tab.run(() => events.unsubscribe(channel)),
  };
}

export type Setting = Awaited<ReturnType<typeof open>>;

export const TERM = 4e12;
let relays = 1;
/** @param b what the stream of the leader has of the channel `b`. */
export const relay = (
  before: string,
  after: string,
  events: RelayedEvent[],
  b?: Partial<StreamChannel>,
): Relay => ({
  type: 'relay',
  term: TERM,
  n: ++relays,
  before,
  after,
  events,
  state: 'open',
  error: undefined,
  silence: undefined,
  channels: new Map(
    b && [
      ['b', { since: id(1), storedAt: id(5), hasBackfill: false, isApplied: true, isRemoved: false, ...b }],
    ],
  ),
});

export const of = (messages: readonly ReceivedEvent[], name: string) =>
  messages.filter(({ channel }) => channel === name).map(({ data }) => data);
