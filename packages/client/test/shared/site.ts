import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { respondToControl } from '../../../../test/support/control-route.ts';
import { listen } from '../../../../test/support/server.ts';

/** A site whose streams follow `all`, and what tabs ask for. */
export interface Site {
  readonly origin: string;
  publish(channel: string, data: unknown): Promise<unknown>;
  /** Breaks the connections of all streams. */
  cut(): void;
  close(): void;
}

export async function serveSite(): Promise<Site> {
  const hub = createHub({
    heartbeat: 300,
    channelField: true,
    history: { events: 100_000 },
    authorize: () => true,
  });
  const sockets = new Set<IncomingMessage['socket']>();
  const { origin, kill } = await listen((req: IncomingMessage, res: ServerResponse) => {
    if (req.method === 'POST') return respondToControl(hub, 'ann', req, res);
    sockets.add(req.socket);
    const stream = openStream(req, res, { hub, client: 'ann', retry: 20 }).subscribe('all');
    res.setHeader('tidings-stream', stream.id);
  });
  return {
    origin,
    publish: (channel, data) => hub.publish(channel, data),
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
      sockets.clear();
    },
    close() {
      kill();
      hub.close();
    },
  };
}
