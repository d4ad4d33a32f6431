import { type Draft, type Position, type Published, TidingsError } from '@tidings/core';
import { kindOf, writeBody } from './body.ts';
import { CallFailed } from './call-failed.ts';
import { COMPACTED } from './scripts/append.ts';
import type { Store } from './store.ts';

/** Ms that an end is known at least, whatever the age of its channel's history. */
const ENDED = 60_000;

/** Redis takes whole numbers; what is unbounded is bounded by this. */
const HUGE = 2 ** 50;

/** Stores batches, one at a time, each of them once or not at all. */
export class Publisher {
  readonly #store: Store;
  /** Of the batch: Redis remembers the last one of a node, so that it can be sent again. */
  #number = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  async publish(drafts: readonly Draft[], deadline: AbortSignal): Promise<Published> {
    this.#number += 1;
    const args = [String(this.#number), ...writeBatch(drafts)];
    try {
      for (;;) {
        const { epoch, result } = await this.#store.append(args, deadline);
        if (result === 'late') throw new CallFailed(new Error('a newer batch was stored before'), true);
        if (result !== undefined) return { epoch, results: readResult(result, drafts) };
      }
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      throw error.isUnknown
        ? new TidingsError('maybe-stored', `Redis may have stored it: ${error.message}`, {
            cause: error.cause,
          })
        : new TidingsError('not-stored', `Redis did not store it: ${error.message}`, { cause: error.cause });
    }
  }
}

/** What the append script says of a batch, draft by draft. */
function readResult(result: string, drafts: readonly Draft[]): (Position | TidingsError)[] {
  const [first, list = ''] = result.split(' ');
  const refused = new Set(list === '' ? [] : list.split(',').map(Number));
  let next = Number(first);
  return drafts.map(({ channel }, index) =>
    refused.has(index)
      ? new TidingsError('ended', `the channel ${JSON.stringify(channel)} has ended: nothing can follow`)
      : next++,
  );
}

/** The arguments of the append script, from the number of channels on. */
function writeBatch(drafts: readonly Draft[]): string[] {
  const channels = new Map<string, string>();
  const keeps: string[] = [];
  const owners: string[] = [];
  const tags: string[] = [];
  const lengths: string[] = [];
  const bodies: string[] = [];
  for (const draft of drafts) {
    let owner = channels.get(draft.channel);
    if (owner === undefined) {
      owner = String(channels.size + 1);
      channels.set(draft.channel, owner);
      const { events, bytes, age, compact } = draft.keep;
      const life = compact ? Math.max(age, COMPACTED) : Math.max(age, ENDED);
      keeps.push(draft.channel, whole(events), whole(bytes), whole(age), compact ? '1' : '0', whole(life));
    }
    const body = writeBody(draft);
    owners.push(owner);
    tags.push(kindOf(draft) + (draft.key ?? draft.event ?? ''));
    lengths.push(String(body.length));
    bodies.push(body);
  }
  return [String(channels.size), String(drafts.length), ...keeps, ...owners, ...tags, ...lengths, ...bodies];
}

function whole(value: number): string {
  return String(Math.min(Math.ceil(value), HUGE));
}
