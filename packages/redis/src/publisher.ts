import { type Draft, type Position, type Published, TidingsError } from '@tidings/core';
import { CallFailed } from './errors.ts';
import { encodeEntry, kindLetter } from './format.ts';
import { COMPACTED_RETENTION, MIN_RETENTION } from './scripts/hub.ts';
import type { Store } from './store.ts';

/** Redis takes whole numbers. Unbounded settings are sent as this one. */
const UNBOUNDED = 2 ** 50;

/** Stores batches, one at a time, each exactly once or not at all. */
export class Publisher {
  readonly #store: Store;
  /** The number of the last batch. Redis keeps its result, so that the batch can be sent again. */
  #number = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  async publish(drafts: readonly Draft[], deadline: AbortSignal): Promise<Published> {
    this.#number += 1;
    const args = [String(this.#number), ...encodeBatch(drafts)];
    try {
      for (;;) {
        const { epoch, result } = await this.#store.append(args, deadline);
        if (result === 'late') throw new CallFailed(new Error('a newer batch was stored before'), true);
        if (result !== undefined) return { epoch, results: decodeResult(result, drafts) };
      }
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      const { cause, message } = error;
      throw error.mayHaveRun
        ? new TidingsError('maybe-stored', `Redis may have stored it: ${message}`, { cause })
        : new TidingsError('not-stored', `Redis did not store it: ${message}`, { cause });
    }
  }
}

/** Decodes the result of the append script: a result for each draft. */
function decodeResult(result: string, drafts: readonly Draft[]): (Position | TidingsError)[] {
  const [first, list = ''] = result.split(' ');
  const exceptions = new Map<number, Position | undefined>();
  for (const [, index, position] of list.matchAll(/(\d+)(?:=(\d+))?/g)) {
    exceptions.set(Number(index), position === undefined ? undefined : Number(position));
  }
  let next = Number(first);
  return drafts.map(({ channel }, index) => {
    if (!exceptions.has(index)) return next++;
    const name = JSON.stringify(channel);
    return (
      exceptions.get(index) ?? new TidingsError('ended', `the channel ${name} has ended: nothing can follow`)
    );
  });
}

/** The arguments of the append script, beginning with the number of channels. */
function encodeBatch(drafts: readonly Draft[]): string[] {
  const channels = new Map<string, string>();
  const settings: string[] = [];
  const owners: string[] = [];
  const tags: string[] = [];
  const lengths: string[] = [];
  const entries: string[] = [];
  for (const draft of drafts) {
    let owner = channels.get(draft.channel);
    if (owner === undefined) {
      owner = String(channels.size + 1);
      channels.set(draft.channel, owner);
      const { events, bytes, age, compact } = draft.keep;
      const retention = Math.max(age, compact ? COMPACTED_RETENTION : MIN_RETENTION);
      settings.push(draft.channel, whole(events), whole(bytes), whole(age));
      settings.push(compact ? '1' : '0', whole(retention));
    }
    const entry = encodeEntry(draft);
    owners.push(owner);
    tags.push(kindLetter(draft) + (draft.key ?? draft.event ?? ''));
    lengths.push(String(entry.length));
    entries.push(entry);
  }
  const counts = [String(channels.size), String(drafts.length)];
  return [...counts, ...settings, ...owners, ...tags, ...lengths, ...entries];
}

function whole(value: number): string {
  return String(Math.min(Math.ceil(value), UNBOUNDED));
}
