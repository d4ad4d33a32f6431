// A browser's part, on a host of its own: a client that reconnects by itself.
import { connect } from '@tidings/client';
import { EventSource } from 'eventsource';

const received: number[] = [];
let opened = 0;
let resets = 0;
let source: EventSource | undefined;

const jobs: Record<string, (...args: number[]) => unknown> = {
  /** Follows the server at the other end of the network, on a port. */
  follow(port) {
    source = new EventSource(`http://10.0.0.1:${port}/`);
    source.addEventListener('open', () => opened++);
    source.addEventListener('message', ({ data }) => received.push(Number(data)));
    source.addEventListener('reset', () => resets++);
  },
  /** The same, by @tidings/client. */
  connect(port) {
    const events = connect(`http://10.0.0.1:${port}/`);
    events.on('state', state => {
      if (state === 'open') opened++;
    });
    events.on('message', ({ data }) => received.push(Number(data)));
    events.on('reset', () => resets++);
  },
  opened: () => opened,
  resets: () => resets,
  received: () => received,
};

process.on('message', async ([name, ...args]: [string, ...number[]]) => {
  process.send?.((await jobs[name]?.(...args)) ?? null);
});
process.on('disconnect', () => process.exit());
// It listens on nothing.
process.send?.(0);
