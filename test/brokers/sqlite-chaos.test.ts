import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { start } from '../support/child.ts';
import { Chaos } from './chaos-clients.ts';

/** Unset: one short run. */
const { CHAOS } = process.env;
const RUNS = Number(CHAOS ?? 1);
const EVENTS = CHAOS === undefined ? 5_000 : 20_000;
const CLIENTS = 60;

it.each(Array.from({ length: RUNS }, (_, index) => index + 1))(
  '60 clients of 4 processes (node:cluster), which are killed, receive every event once, without a reset, and nothing after they are removed (run %i)',
  async () => {
    const disk = new SmallDisk();
    const chaos = new Chaos(() => server.origin);
    const file = join(disk.path, 'hub.db');
    const server = await start(new URL('sqlite-cluster.ts', import.meta.url), file, chaos.refused);
    let troubles = 0;
    try {
      const { accepted, refused } = chaos.feed;
      const trouble = async () => {
        await pause(500 + Math.random() * 500);
        if (troubles++ === 1) await disk.fillUntil(() => refused.size > 0);
        else await server.ask('kill');
      };
      // On a busy machine, the disk may be filled late.
      const faults = await chaos.run(CLIENTS, EVENTS, trouble, () => !disk.isBounded || refused.size > 0);
      expect(accepted.size).toBeGreaterThan(EVENTS / 2);
      if (disk.isBounded) expect(refused.size).toBeGreaterThan(0);
      expect(faults).toEqual([]);
    } finally {
      server.kill('SIGKILL');
      await server.ended;
      disk.remove();
      chaos.close();
    }
  },
  600_000,
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
