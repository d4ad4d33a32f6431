import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHub, type EventStream } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { concat, Observable, of, Subject, throwError } from 'rxjs';
import { afterEach, expect, it } from 'vitest';
import { request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';

let server: Running;
afterEach(() => server.kill());

async function connect(source: Observable<unknown>) {
  const errors: unknown[] = [];
  const hub = createHub({ onError: (error, { stage }) => errors.push([stage, (error as Error).message]) });
  let stream: EventStream | undefined;
  let isComplete: Promise<boolean> | undefined;
  server = await listen((req: IncomingMessage, res: ServerResponse) => {
    stream = openStream(req, res, { hub });
    isComplete = stream.stream(source);
  });
  const client = await request(server.origin, '/');
  return { client, errors, stream: stream as EventStream, isComplete: isComplete as Promise<boolean> };
}

it('an observable is sent, and the response ends when it completes', async () => {
  const { client, isComplete, errors } = await connect(of(1, 2, 3));
  expect(await client.ended).toBe(true);
  expect(client.events.map(({ data }) => data).slice(0, 3)).toEqual(['1', '2', '3']);
  expect([await isComplete, errors]).toEqual([true, []]);
});

it('an observable is unsubscribed when the client disconnects', async () => {
  const subject = new Subject<number>();
  const { client, stream } = await connect(subject);
  subject.next(1);
  await client.until(({ events }) => events.length === 1);
  client.reset();
  expect(await stream.closed).toBe('disconnected');
  expect(subject.observed).toBe(false);
});

it('an observable that fails closes the stream after its emitted items', async () => {
  const failing = concat(
    of(1),
    throwError(() => new Error('mine')),
  );
  const { client, stream, errors } = await connect(failing);
  await client.ended;
  expect(client.events.map(({ data }) => data)[0]).toBe('1');
  expect(await stream.closed).toBe('error');
  expect(errors).toEqual([['source', 'mine']]);
});

it.each([
  ['while it is subscribed to', (emit: () => void) => emit()],
  ['later', (emit: () => void) => void setImmediate(emit)],
])('an observable is unsubscribed when it emits more than 1,000 items at once, %s', async (_, when) => {
  let isSubscribed = true;
  const fast = new Observable<number>(subscriber => {
    when(() => {
      for (let n = 0; n <= 1_000; n++) subscriber.next(n);
    });
    return () => {
      isSubscribed = false;
    };
  });
  const { client, stream, errors } = await connect(fast);
  await client.ended;
  expect(await stream.closed).toBe('error');
  expect(isSubscribed).toBe(false);
  expect(errors).toEqual([['source', expect.stringContaining('1000 items')]]);
});
