// What a server does with a stream, by path. Written against web standards: it runs on every runtime.
import { createHub } from '@tidings/core';

export const hub = createHub({
  stallTimeout: 1_000,
  compression: { minStreams: 1 },
  onError: error => failures.push(String(error)),
});
const failures = [];
/** Of the streams of `/leave`: why they closed, and whether their signal and their source were told. */
const departures = [];
const flood = { produced: 0, reason: undefined };
let asked = 0;

const wait = ms => new Promise(resolve => setTimeout(resolve, ms));

const behaviours = {
  '/fields': stream => {
    stream.send('a', { event: 'e', id: '1', retry: 5 });
    stream.send('one\ntwo\r\nthree\rfour');
    stream.comment('aside');
    stream.send({ a: [1] });
    stream.send('ü✓😀');
    setTimeout(() => stream.close(), 20);
  },
  '/silent': () => {},
  '/id': stream => stream.send({ id: stream.lastEventId ?? null }),
  '/source': stream =>
    stream.stream(async function* () {
      asked += 1;
      yield* ['x', 'y'];
    }),
  '/channel': stream => stream.subscribe('channel'),
  '/rows': stream => {
    stream.subscribe('rows');
    stream.send('before');
  },
  '/leave': stream => {
    const departure = { aborted: false, stopped: false, reason: undefined };
    departures.push(departure);
    stream.signal.addEventListener('abort', () => {
      departure.aborted = true;
    });
    stream.closed.then(reason => {
      departure.reason = reason;
    });
    return stream.stream(async function* () {
      try {
        for (;;) {
          yield 'tick';
          await wait(20);
        }
      } finally {
        departure.stopped = true;
      }
    });
  },
  '/flood': stream => {
    stream.closed.then(reason => {
      flood.reason = reason;
    });
    return stream.stream(async function* () {
      for (; flood.produced < 4_000; flood.produced++) yield 'x'.repeat(16 * 1024);
    });
  },
  '/throw': () => {
    throw new Error('secret');
  },
  '/reject': async () => {
    await null;
    throw new Error('secret');
  },
};

const questions = {
  '/publish': async () => {
    for (const data of ['1', '2', '3']) await hub.publish('channel', data);
  },
  '/publish-rows': async () => {
    for (let n = 1; n <= 20; n++) await hub.publish('rows', `<tr id="row-${n}"><td>Server ${n}</td></tr>`);
    hub.channel('rows').end();
  },
  '/end': () => hub.channel('channel').end(),
  '/state': () => ({ departures, failures, flood, asked }),
};

/** What to do with the stream at `path`. */
export const behaviourOf = path => behaviours[path];

/** What is asked of the server itself: JSON, or undefined if it is not. */
export async function answer(path) {
  if (path in questions) return JSON.stringify((await questions[path]()) ?? null);
}
