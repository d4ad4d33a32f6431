import { afterEach, describe, expect, it, vi } from 'vitest';
import { follow, open, until, wait } from '../support/memory-stream.ts';
import { hubOf, unreliableHub } from '../support/unreliable-broker.ts';

/** The clock of a hub with this option ticks often. */
const heartbeat = 160;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Simulates a pause that has just ended: the clock has moved, and no timer has fired yet. */
function pause(ms: number): void {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + ms);
}

/** Long enough for some ticks. */
const ticks = () => wait(400);

describe('directly after a pause of the process', () => {
  it('an event is dated with the current time', async () => {
    const hub = hubOf({ heartbeat, history: { age: 60_000 } });
    const { lastId } = await follow(hub, 'a');
    const id = lastId();
    pause(120_000);
    await hub.publish('a', 1);
    await ticks();
    await hub.publish('a', 2);
    await wait(10);
    const { data, transport } = await follow(hub, 'a', id);
    await until(() => data().includes('2'));
    expect(data()).toEqual(['1', '2']);
    expect(transport.text).not.toContain('reset');
  });

  it('`linger` begins when the client disconnects', async () => {
    const hub = hubOf({ heartbeat, presence: { channel: 'here', linger: 60_000 } });
    const { data } = await follow(hub, 'here');
    const { stream } = open(hub, undefined, { client: 'ann' });
    await until(() => data().length === 1);
    pause(120_000);
    stream.close();
    await ticks();
    expect(await hub.clients.count()).toBe(1);
  });

  it('a stream that closes waits for its broker', async () => {
    const { hub, faulty } = unreliableHub({ heartbeat });
    faulty.hold();
    const { stream, lastId } = open(hub);
    stream.subscribe('a');
    await faulty.holding();
    pause(10_000);
    stream.close();
    await ticks();
    faulty.release();
    await stream.closed;
    // 0-0: the position is not known.
    expect(lastId()).not.toBe('0-0');
    expect(lastId()).toBeDefined();
  });

  it('the headers of a new stream wait for its broker', async () => {
    const { hub, faulty } = unreliableHub({ heartbeat });
    await follow(hub, 'x');
    faulty.hold();
    pause(10_000);
    const { stream, transport } = open(hub);
    stream.subscribe('a');
    await faulty.holding();
    await ticks();
    expect(transport.status).toBeUndefined();
    faulty.release();
  });
});
