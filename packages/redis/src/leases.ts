import type { LeaseChange } from '@tidings/core';
import { Script, type ScriptCaller } from './scripts/caller.ts';
import { LEASE } from './scripts/lease.ts';

/** The lease sets of a hub. */
export class Leases {
  readonly #script = new Script(LEASE);
  readonly #caller: ScriptCaller;

  constructor(caller: ScriptCaller) {
    this.#caller = caller;
  }

  /** @throws {CallFailed} */
  async change(
    set: string,
    { owner, hold, release, ttl }: LeaseChange,
    deadline: AbortSignal,
  ): Promise<{ came: string[]; left: string[] }> {
    const counts = [String(Math.ceil(ttl)), String(hold.length)];
    const reply = await this.#caller.call(this.#script, {
      args: () => [set, owner, ...counts, ...hold, ...release],
      deadline,
      // A second attempt would not return the changes of the first one.
      isOnce: true,
    });
    const [came, left] = reply as [string[], string[]];
    return { came, left };
  }
}
