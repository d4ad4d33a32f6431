import { createHub } from '@tidings/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FaultyBroker, MemoryLog } from '../support/memory-broker.ts';
import { open } from '../support/memory-stream.ts';

const awayBroker = () => new FaultyBroker(new MemoryLog().broker());

describe('hub.position()', () => {
  const refused = { name: 'TidingsError', code: 'broker' };

  it('rejects at the deadline of a publish while the broker cannot be reached', async () => {
    const faulty = awayBroker();
    faulty.goAway();
    const hub = createHub({ broker: faulty.broker, publishTimeout: 100, onError: () => {} });
    await expect(hub.position()).rejects.toMatchObject(refused);
  });

  it('rejects at the deadline while the broker does not respond', async () => {
    const faulty = awayBroker();
    const hub = createHub({ broker: faulty.broker, publishTimeout: 100, onError: () => {} });
    await hub.position();
    faulty.hold();
    await expect(hub.position()).rejects.toMatchObject(refused);
    faulty.release();
    expect(await hub.position()).toMatch(/^\w+-0$/);
  });

  it('rejects each pending call at its own deadline', async () => {
    const faulty = awayBroker();
    faulty.hold();
    const hub = createHub({ broker: faulty.broker, publishTimeout: 100, onError: () => {} });
    const outcomes = await Promise.allSettled([hub.position(), hub.position(), hub.position()]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  });

  it('resolves when the broker is reachable before the deadline', async () => {
    const faulty = awayBroker();
    faulty.fail('start', 1);
    const hub = createHub({ broker: faulty.broker, onError: () => {} });
    expect(await hub.position()).toMatch(/^\w+-0$/);
  });

  it('rejects when the hub is closed while it waits', async () => {
    const faulty = awayBroker();
    faulty.goAway();
    const hub = createHub({ broker: faulty.broker, publishTimeout: 86_400_000, onError: () => {} });
    const outcome = hub.position().then(
      () => 'resolved',
      error => error.name,
    );
    await faulty.rejected();
    await hub.close({ within: 0 });
    expect(await outcome).toBe('TidingsError');
  });
});

describe('the default onError', () => {
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  /** What is printed, and when, by a clock that the test moves. */
  function capture() {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    });
    const printed: { at: number; text: string }[] = [];
    const start = performance.now();
    vi.spyOn(console, 'error').mockImplementation((...args: unknown[]) => {
      printed.push({ at: performance.now() - start, text: args.map(String).join(' ') });
    });
    return printed;
  }
  const MINUTE = 60_000;

  it('prints the same cause at most once a minute, with the number of repetitions', async () => {
    const printed = capture();
    const faulty = awayBroker();
    faulty.goAway();
    const hub = createHub({ broker: faulty.broker, heartbeat: false });
    open(hub).stream.subscribe('a');
    await vi.advanceTimersByTimeAsync(MINUTE / 2);
    expect(printed).toHaveLength(1);
    expect(printed[0]?.text).toContain('the broker is away');
    await vi.advanceTimersByTimeAsync(10 * MINUTE);
    expect(faulty.rejections).toBeGreaterThan(300);
    expect(printed.length).toBeGreaterThan(5);
    expect(printed.length).toBeLessThanOrEqual(11);
    const counts = printed.slice(1).map(({ text }) => {
      const numbers = [...text.matchAll(/\d+/g)].map(([digits]) => Number(digits));
      return numbers.find(count => count > 20 && count < 130);
    });
    expect(counts).not.toContain(undefined);
    for (const [i, { at }] of printed.slice(1).entries()) {
      expect(at - (printed[i]?.at as number)).toBeGreaterThanOrEqual(MINUTE);
    }
    faulty.recover();
    await vi.advanceTimersByTimeAsync(MINUTE);
  });

  it('prints publishes that fail for the same cause once a minute', async () => {
    const printed = capture();
    const faulty = awayBroker();
    const hub = createHub({ broker: faulty.broker, publishTimeout: 1_000 });
    const starting = hub.position();
    await vi.advanceTimersByTimeAsync(0);
    await starting;
    faulty.goAway();
    for (let i = 0; i < 50; i++) {
      hub.publish('a', i).catch(() => {});
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(printed.filter(({ text }) => text.includes('publish:'))).toHaveLength(1);
  });

  it('prints different causes immediately', async () => {
    const printed = capture();
    const hub = createHub();
    for (const name of ['one', 'two']) await hub.channel(name).end();
    for (const name of ['one', 'two']) await hub.publish(name, 1).catch(() => {});
    await hub.publish('three', undefined).catch(() => {});
    expect(printed.length).toBeGreaterThanOrEqual(2);
    expect(printed[0]?.text).toMatch(/publish.*ended/);
  });

  it('is not used with an onError of the application, which receives all errors', async () => {
    capture();
    const faulty = awayBroker();
    faulty.goAway();
    const errors: unknown[] = [];
    const hub = createHub({
      broker: faulty.broker,
      heartbeat: false,
      onError: error => void errors.push(error),
    });
    open(hub).stream.subscribe('a');
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(errors.length).toBe(faulty.rejections);
    expect(errors.length).toBeGreaterThan(30);
  });
});
