import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ConnectOptions, connect, type Events, type ReceivedEvent, type State } from '@tidings/client';
import { createHub, type Hub, type HubOptions, type StreamOptions } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { onTestFinished } from 'vitest';
import { listen } from '../../../test/support/server.ts';

type Respond = (req: IncomingMessage, res: ServerResponse) => unknown;

/** A server whose response the test sets. */
export interface Site {
  readonly url: string;
  readonly hub: Hub;
  /** All that were made, oldest first. */
  readonly requests: IncomingMessage[];
  /** Default: a stream of the channel `news`. */
  respond: Respond;
  /** Responds with a stream of `news`. */
  follow(options?: StreamOptions): Respond;
  /** Resolves when the hub has so many streams. */
  has(streams: number): Promise<void>;
  /** Breaks every connection. */
  cut(): void;
  /** Connects a client that is closed at the end of the test. */
  connect(options?: ConnectOptions): Events;
}

/** Starts a server for one test. Clients wait at most 10 ms, so that tests need no time. */
export async function serve(options: HubOptions = {}): Promise<Site> {
  const hub = createHub(options);
  const sockets = new Set<IncomingMessage['socket']>();
  const { origin, kill } = await listen((req: IncomingMessage, res: ServerResponse) => {
    site.requests.push(req);
    sockets.add(req.socket);
    site.respond(req, res);
  });
  const follow = (stream?: StreamOptions) => (req: IncomingMessage, res: ServerResponse) =>
    openStream(req, res, { hub, ...stream }).subscribe('news');
  const site: Site = {
    url: `${origin}/events`,
    hub,
    requests: [],
    respond: follow(),
    follow,
    has: count => until(() => hub.streams.size === count),
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
      sockets.clear();
    },
    connect(client) {
      const events = connect(site.url, { retry: { initial: 10, max: 10 }, ...client });
      onTestFinished(() => events.close());
      return events;
    },
  };
  onTestFinished(kill);
  return site;
}

/** Resolves when a condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 2));
}

/** Resolves when the state is reached. */
export const reaches = (events: Events, state: State) => until(() => events.state === state);

/** All states from now on. */
export function statesOf(events: Events): State[] {
  const states: State[] = [];
  events.on('state', state => states.push(state));
  return states;
}

/** All events of a name from now on. */
export function collect(events: Events, name = 'message'): ReceivedEvent[] {
  const received: ReceivedEvent[] = [];
  events.on(name, event => received.push(event));
  return received;
}

export const dataOf = (events: readonly ReceivedEvent[]) => events.map(({ data }) => data);
