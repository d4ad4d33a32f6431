import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Liveness } from '../src/connection/liveness.ts';
import { collect, reaches, serve, statesOf, until } from './harness.ts';

describe('liveness', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('times out after the limit without a byte', () => {
    const silent = vi.fn();
    const liveness = new Liveness(silent);
    liveness.start(12_000);
    vi.advanceTimersByTime(11_000);
    liveness.touch();
    vi.advanceTimersByTime(11_999);
    expect(silent).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(silent).toHaveBeenCalledTimes(1);
  });

  it('uses the clock: it times out within 5 s after a sleep, whatever the limit', () => {
    const silent = vi.fn();
    new Liveness(silent).start(60_000);
    vi.setSystemTime(Date.now() + 3_600_000);
    vi.advanceTimersByTime(5_000);
    expect(silent).toHaveBeenCalledTimes(1);
  });

  it('works with a clock that is set back', () => {
    const silent = vi.fn();
    new Liveness(silent).start(10_000);
    vi.setSystemTime(Date.now() - 3_600_000);
    vi.advanceTimersByTime(15_000);
    expect(silent).toHaveBeenCalledTimes(1);
  });

  it('does not time out without a limit, and leaves no timer when it is stopped', () => {
    const liveness = new Liveness(() => {});
    liveness.start(undefined);
    expect(vi.getTimerCount()).toBe(0);
    liveness.start(1_000);
    expect(vi.getTimerCount()).toBe(1);
    liveness.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a silent connection', () => {
  const write = (res: ServerResponse, heartbeat: number, first = ':\n\n') =>
    res
      .writeHead(200, { 'content-type': 'text/event-stream', 'tidings-heartbeat': String(heartbeat) })
      .write(first);

  it('is replaced after twice the announced heartbeat interval', async () => {
    const site = await serve();
    const { respond } = site;
    site.respond = (_req, res) => write(res, 10, 'id: 7\n\n');
    const events = site.connect();
    const states = statesOf(events);
    await until(() => events.error !== undefined);
    expect(events.error?.message).toContain('no byte arrived for');
    site.respond = respond;
    const seen = site.requests.length;
    await until(() => site.requests.length > seen && events.state === 'open');
    expect(states.slice(0, 2)).toEqual(['open', 'connecting']);
    expect(site.requests[1]?.headers['last-event-id']).toBe('7');
  });

  it('stays open as long as comments arrive', async () => {
    const site = await serve();
    let comments = 0;
    site.respond = (_req, res) => {
      write(res, 500);
      const timer = setInterval(() => comments++ < 60 && res.write(':\n\n'), 20);
      res.on('close', () => clearInterval(timer));
    };
    const events = site.connect();
    const states = statesOf(events);
    await until(() => comments > 60);
    expect(states).toEqual(['open']);
    expect(site.requests).toHaveLength(1);
  });

  it('stays open without an announced interval, and with `silence: false`', async () => {
    const site = await serve({ heartbeat: false });
    const started = vi.spyOn(globalThis, 'setTimeout');
    await reaches(site.connect(), 'open');
    site.respond = (_req, res) => write(res, 10);
    await reaches(site.connect({ silence: false }), 'open');
    const names = started.mock.calls.map(([callback]) => callback.toString());
    started.mockRestore();
    expect(names.filter(text => text.includes('check()'))).toEqual([]);
  });

  it('is replaced after `silence`, even before the response begins', async () => {
    const site = await serve();
    const { respond } = site;
    site.respond = () => {};
    const events = site.connect({ silence: 50 });
    await until(() => site.requests.length >= 2);
    site.respond = respond;
    const messages = collect(events);
    await reaches(events, 'open');
    await site.hub.publish('news', 'one');
    await until(() => messages.length === 1);
  });
});

describe('the warning of a proxy that buffers', () => {
  it('is printed once, after three short connections in a row', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const site = await serve();
    const warnings: number[] = [];
    site.respond = (_req, res) => {
      warnings.push(warn.mock.calls.length);
      res.writeHead(200, { 'content-type': 'text/event-stream' }).end();
    };
    site.connect();
    await until(() => warnings.length > 7);
    const { calls } = warn.mock;
    warn.mockRestore();
    expect(warnings.slice(0, 6)).toEqual([0, 0, 0, 1, 1, 1]);
    expect(calls).toEqual([[expect.stringContaining('proxy_buffering off')]]);
  });
});
