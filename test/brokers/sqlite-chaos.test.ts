import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { start } from '../support/child.ts';
import { Feed, ReconnectingClient } from './chaos-clients.ts';

/** Unset: one short run. */
const { CHAOS } = process.env;
const RUNS = Number(CHAOS ?? 1);
const EVENTS = CHAOS === undefined ? 5_000 : 20_000;
const CLIENTS = 60;
const CHANNELS = ['a', 'b', 'c', 'd'];

it.each(Array.from({ length: RUNS }, (_, index) => index + 1))(
  '60 clients of 4 processes (node:cluster), which are killed, receive every event once, without a reset (run %i)',
  async () => {
    const disk = new SmallDisk();
    const server = await start(new URL('sqlite-cluster.ts', import.meta.url), join(disk.path, 'hub.db'));
    try {
      const origin = () => server.origin;
      const feed = new Feed(origin);
      const clients = Array.from({ length: CLIENTS }, (_, index) => {
        return new ReconnectingClient(origin, CHANNELS.slice(index % CHANNELS.length).concat('all'));
      });
      const reading = Promise.all(clients.map(client => client.read()));
      let isOver = false;
      const troubles = (async () => {
        for (let count = 0; !isOver; count++) {
          await pause(500 + Math.random() * 500);
          if (count === 1) await disk.fillUntil(() => feed.refused.size > 0);
          else await server.ask('kill');
        }
      })();
      await feed.publish(EVENTS, CHANNELS);
      isOver = true;
      await troubles;
      await feed.end();
      for (const client of clients) client.isLast = true;
      await reading;
      expect(feed.accepted.size).toBeGreaterThan(EVENTS / 2);
      if (disk.isBounded) expect(feed.refused.size).toBeGreaterThan(0);
      expect(clients.flatMap(client => client.faults(feed).slice(0, 5))).toEqual([]);
    } finally {
      server.kill('SIGKILL');
      await server.ended;
      disk.remove();
    }
  },
  170_000,
);

/** A folder on a disk of its own, which can be filled. Only root can make one: elsewhere it is never full. */
class SmallDisk {
  readonly path = mkdtempSync(join(tmpdir(), 'tidings-disk-'));
  readonly isBounded: boolean;

  constructor() {
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', this.path]);
    this.isBounded = status === 0;
  }

  /** Keeps it full until something fails for want of space. SQLite first uses what it has reserved. */
  async fillUntil(hasFailed: () => boolean): Promise<void> {
    if (!this.isBounded) return;
    const filler = join(this.path, 'filler');
    while (!hasFailed()) {
      try {
        for (;;) writeFileSync(filler, Buffer.alloc(4_096), { flag: 'a' });
      } catch {
        await pause(50);
      }
    }
    rmSync(filler);
  }

  remove(): void {
    if (this.isBounded) spawnSync('umount', ['-l', this.path]);
    rmSync(this.path, { recursive: true, force: true });
  }
}
