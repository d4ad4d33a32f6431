import { type Draft, type Position, type Published, TidingsError } from '@tidings/core';
import { CallFailed, findSetting } from './errors.ts';
import { encodeEntry, kindLetter } from './format.ts';
import { COMPACTED_RETENTION, MIN_RETENTION } from './scripts/hub.ts';
import type { Store } from './store.ts';

/** Represents Infinity: the scripts accept only integers. */
const UNBOUNDED = 2 ** 50;

/** Stores batches, one at a time, each exactly once or not at all. */
export class Publisher {
  readonly #store: Store;
  /** The number of the last batch. Redis stores its result, so that a repeated batch is not stored twice. */
  #number = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  async publish(drafts: readonly Draft[], deadline: AbortSignal): Promise<Published> {
    this.#number += 1;
    const { channels, args } = encodeBatch(this.#number, drafts);
    try {
      for (;;) {
        const { epoch, result } = await this.#store.append(channels, args, deadline);
        if (result === 'late') throw new CallFailed(new Error('a newer batch was stored before'), true);
        if (result !== undefined) return { epoch, results: decodeResult(result, drafts) };
      }
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      const cause = findSetting(error) ?? error.cause;
      const message = cause instanceof TidingsError ? cause.message : error.message;
      throw error.mayHaveRun
        ? new TidingsError('maybe-stored', `Redis may have stored the event: ${message}`, { cause })
        : new TidingsError('not-stored', `Redis did not store the event: ${message}`, { cause });
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
      exceptions.get(index) ??
      new TidingsError('ended', `the channel ${name} has ended: call begin() to use it again`)
    );
  });
}

/** The channels of a batch, and the arguments of the append script after their names. */
function encodeBatch(number: number, drafts: readonly Draft[]): { channels: string[]; args: string[] } {
  const indexes = new Map<string, string>();
  const settings: string[] = [];
  const retentions: string[] = [];
  const owners: string[] = [];
  const tags: string[] = [];
  const lengths: string[] = [];
  const entries: string[] = [];
  for (const draft of drafts) {
    let owner = indexes.get(draft.channel);
    if (owner === undefined) {
      owner = String(indexes.size + 1);
      indexes.set(draft.channel, owner);
      const { events, bytes, age, compact } = draft.keep;
      settings.push(`${integer(events)} ${integer(bytes)} ${integer(age)} ${compact ? 1 : 0}`);
      retentions.push(integer(Math.max(age, compact ? COMPACTED_RETENTION : MIN_RETENTION)));
    }
    const entry = encodeEntry(draft);
    owners.push(owner);
    tags.push(kindLetter(draft) + (draft.key ?? draft.event ?? ''));
    lengths.push(String(entry.length));
    entries.push(entry);
  }
  const counts = [String(number), String(drafts.length)];
  const args = [...counts, ...settings, ...retentions, ...owners, ...tags, ...lengths, ...entries];
  return { channels: [...indexes.keys()], args };
}

function integer(value: number): string {
  return String(Math.min(Math.ceil(value), UNBOUNDED));
}
