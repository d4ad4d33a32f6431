import { createHub, type EventStream } from '@tidings/core';
import { sse } from '@tidings/express';
import express, { type Request, type Response } from 'express';
import { listen, type Running } from '../../support/server.ts';

/** A stream of the protocol, in memory. */
interface DurableStream {
  type: string;
  parts: Buffer[];
  isClosed: boolean;
}

/** As many digits for every offset, so that they are in order as text. */
const offsetOf = (count: number) => String(count).padStart(16, '0');

/**
 * Serves the part of the Durable Streams protocol that the cases about SSE need: create, append, close, and follow live.
 * Each append is an event `data`, and an event `control` that has the next offset.
 */
export function serveDurableStreams(): Promise<Running> {
  const hub = createHub();
  const streams = new Map<string, DurableStream>();
  const app = express();
  app.use(sse({ hub }), express.raw({ type: () => true, limit: '10mb' }));

  function dataOf({ type }: DurableStream, part: Buffer): string {
    if (type.startsWith('application/json')) {
      const value = JSON.parse(part.toString());
      return JSON.stringify(Array.isArray(value) ? value : [value]);
    }
    return isText(type) ? part.toString() : part.toString('base64');
  }

  function controlOf({ parts, isClosed }: DurableStream, count: number, cursor = 0) {
    const streamNextOffset = offsetOf(count);
    const isTail = count === parts.length;
    if (isClosed && isTail) return { streamNextOffset, streamClosed: true, upToDate: true };
    const streamCursor = String(Math.max(Math.floor(Date.now() / 20_000), cursor + 1));
    return { streamNextOffset, streamCursor, ...(isTail && { upToDate: true }) };
  }

  async function append(path: string, stream: DurableStream, { body, headers }: Request): Promise<void> {
    const hasBody = Buffer.isBuffer(body) && body.length > 0;
    if (hasBody) stream.parts.push(body);
    stream.isClosed = headers['stream-closed'] === 'true';
    if (hasBody) await hub.publish(path, dataOf(stream, body), { event: 'data' });
    if (hasBody || stream.isClosed) {
      await hub.publish(path, controlOf(stream, stream.parts.length), { event: 'control' });
    }
    if (stream.isClosed) await hub.channel(path).end();
  }

  function describe(res: Response, { type, parts, isClosed }: DurableStream): Response {
    res.set({ 'stream-next-offset': offsetOf(parts.length), 'content-type': type });
    return isClosed ? res.set('stream-closed', 'true') : res;
  }

  app.put(/.*/, async (req, res) => {
    const stream = {
      type: req.get('content-type') ?? 'application/octet-stream',
      parts: [],
      isClosed: false,
    };
    streams.set(req.path, stream);
    await append(req.path, stream, req);
    describe(res, stream).status(201).end();
  });

  app.post(/.*/, async (req, res) => {
    const stream = streams.get(req.path);
    if (stream === undefined) return void res.sendStatus(404);
    await append(req.path, stream, req);
    describe(res, stream).status(204).end();
  });

  app.get(/.*/, (req, res) => {
    const { offset, live, cursor } = req.query;
    const stream = streams.get(req.path);
    if (stream === undefined) return void res.sendStatus(404);
    if (live === undefined) return void describe(res, stream).send(Buffer.concat(stream.parts));
    if (offset === undefined) return void res.sendStatus(400);
    const headers = isText(stream.type) ? {} : { 'stream-sse-data-encoding': 'base64' };
    follow(res.sse({ markers: false, headers }), req.path, stream, String(offset), Number(cursor ?? 0));
  });

  /** Sends what there is, then what is appended. Nothing can be appended in between: it is one tick. */
  function follow(
    out: EventStream,
    path: string,
    stream: DurableStream,
    offset: string,
    cursor: number,
  ): void {
    const { parts, isClosed } = stream;
    const first = offset === 'now' ? parts.length : Math.max(0, Number(offset));
    for (let index = first; index < parts.length; index++) {
      out.send(dataOf(stream, parts[index] as Buffer), { event: 'data' });
      out.send(controlOf(stream, index + 1, cursor), { event: 'control' });
    }
    if (first >= parts.length) out.send(controlOf(stream, parts.length, cursor), { event: 'control' });
    if (isClosed) out.close();
    else out.subscribe(path, { from: 'now' });
  }

  return listen(app);
}

function isText(type: string): boolean {
  return /^(text\/|application\/json)/.test(type);
}
