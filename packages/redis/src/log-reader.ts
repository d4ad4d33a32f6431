import type { Entry, Page, Position } from '@tidings/core';
import { CallFailed, interrupted } from './errors.ts';
import type { Sequencer } from './sequencer.ts';
import type { ReadReply, ReadRequest, Store } from './store.ts';

/** Maximum number of channels in one command. More would block Redis for too long. */
const SLICE = 256;

/** Splits a list into slices. An empty list gives one empty slice. */
export function slices<T>(list: readonly T[]): T[][] {
  const result: T[][] = [];
  for (let start = 0; start === 0 || start < list.length; start += SLICE) {
    result.push(list.slice(start, start + SLICE));
  }
  return result;
}

/** A read whose head has not arrived over the live feed yet. Both callbacks are called synchronously. */
interface Barrier {
  arrived(head: Position): void;
  interrupted(): void;
}

/** The progress of reading one channel. */
interface Cursor {
  channel: string;
  after: Position;
  entries: Entry[];
  more: boolean;
}

/** Reads the log for the live feed, so that there is no gap between the log and the messages. */
export class LogReader {
  readonly #store: Store;
  readonly #sequencer: Sequencer;
  /** ms. */
  readonly #timeout: number;
  readonly #onSilence: (cause: unknown) => void;
  readonly #barriers = new Map<string, Barrier>();
  #tokens = 0;

  /** @param onSilence called when a barrier does not arrive: the subscription is connected, but delivers nothing. */
  constructor(store: Store, sequencer: Sequencer, timeout: number, onSilence: (cause: unknown) => void) {
    this.#store = store;
    this.#sequencer = sequencer;
    this.#timeout = timeout;
    this.#onSilence = onSilence;
  }

  /**
   * Reads the log, and marks the read in the messages of the live feed with a barrier: the script also publishes the
   * head to this process. Redis preserves the order of messages, so all entries up to that head arrive before the
   * barrier.
   *
   * @param onBarrier called when the head arrives, before any message after it.
   * @throws {CallFailed}
   */
  async readAtBarrier(request: ReadRequest, onBarrier: (head: Position) => void): Promise<ReadReply> {
    this.#tokens += 1;
    const token = String(this.#tokens);
    const { generation } = this.#sequencer;
    let timer: NodeJS.Timeout | undefined;
    const arrival = new Promise<void>((resolve, reject) => {
      this.#barriers.set(token, {
        arrived: head => {
          onBarrier(head);
          resolve();
        },
        interrupted: () => reject(interrupted()),
      });
    });
    // If the read fails first, the arrival is not awaited, and its rejection would be unhandled.
    arrival.catch(() => {});
    try {
      const reply = await this.#store.read({ ...request, token }, AbortSignal.timeout(this.#timeout));
      const silence = new Promise<true>(resolve => {
        timer = setTimeout(resolve, this.#timeout, true);
      });
      if (await Promise.race([arrival, silence])) {
        const error = new Error('no message arrives over the subscription');
        this.#onSilence(error);
        throw new CallFailed(error, false);
      }
      if (generation !== this.#sequencer.generation) throw interrupted();
      return reply;
    } finally {
      clearTimeout(timer);
      this.#barriers.delete(token);
    }
  }

  /** Checks that messages arrive, and advances the head for idle streams. */
  async probe(): Promise<void> {
    try {
      await this.readAtBarrier({}, head => {
        if (this.#sequencer.isLive) this.#sequencer.advance(head);
      });
    } catch (error) {
      // The connection that has failed was already closed.
      if (!(error instanceof CallFailed)) throw error;
    }
  }

  /** A message to this process: `head <token> <epoch> <head>`. */
  receiveBarrier(text: string): void {
    const [, token = '', epoch, head] = text.split(' ');
    if (epoch === this.#store.epoch) this.#barriers.get(token)?.arrived(Number(head));
  }

  /** Called when the connection is lost or the epoch has changed: pending barriers cannot arrive any more. */
  interrupt(): void {
    for (const barrier of this.#barriers.values()) barrier.interrupted();
    this.#barriers.clear();
  }

  /**
   * Reads the entries of channels up to `head` that the sequencer has not delivered, page by page, and delivers them in
   * one order. Trimmed entries are reported as lost before any newer entry is delivered.
   */
  async catchUp(channels: readonly string[], head: Position): Promise<void> {
    const sequencer = this.#sequencer;
    let cursors = channels.map((channel): Cursor => {
      const after = sequencer.gaps.get(channel) ?? sequencer.deliveredUpTo;
      return { channel, after, entries: [], more: true };
    });
    while (cursors.length > 0) {
      const [lost, superseded]: [string[], string[]] = [[], []];
      for (const slice of slices(cursors.filter(({ entries }) => entries.length === 0))) {
        await this.#readNext(slice, head, lost, superseded);
      }
      sequencer.reportLost(lost);
      sequencer.reportLost(superseded, true);
      // Every channel was read up to this position.
      const readUpTo = Math.min(head, ...cursors.filter(({ more }) => more).map(({ after }) => after));
      const next: Entry[] = [];
      for (const cursor of cursors) {
        const count = cursor.entries.findIndex(({ position }) => position > readUpTo);
        next.push(...cursor.entries.splice(0, count === -1 ? cursor.entries.length : count));
      }
      sequencer.deliver(next.sort((one, other) => one.position - other.position));
      cursors = cursors.filter(({ entries, more }) => entries.length > 0 || more);
    }
  }

  /**
   * Reads the next page of each channel. Adds channels with lost entries to `lost`, with compacted ones to
   * `superseded`.
   */
  async #readNext(
    cursors: readonly Cursor[],
    head: Position,
    lost: string[],
    superseded: string[],
  ): Promise<void> {
    const { generation } = this.#sequencer;
    const wants = cursors.map(({ channel, after }) => [channel, after] as const);
    const { pages } = await this.#store.read({ wants, until: head }, AbortSignal.timeout(this.#timeout));
    if (generation !== this.#sequencer.generation) throw interrupted();
    for (const cursor of cursors) {
      const page = pages.get(cursor.channel);
      if (page === undefined) continue;
      // An entry before `deliveredUpTo` is too late to be delivered in order.
      cursor.entries = page.entries.filter(({ position }) => position > this.#sequencer.deliveredUpTo);
      cursor.more = page.more;
      if (page.trimmedUpTo > cursor.after || cursor.entries.length < page.entries.length)
        lost.push(cursor.channel);
      else if ((page.supersededUpTo ?? 0) > cursor.after) superseded.push(cursor.channel);
      cursor.after = page.entries.at(-1)?.position ?? cursor.after;
    }
  }
}

/** Completes a page up to `head` with the entries that have arrived since it was read. */
export function completePage(page: Page, arrived: readonly Entry[], head: Position): Page {
  let { entries, trimmedUpTo, last, endedAt, more } = page;
  for (const entry of arrived) {
    if (entry.position > head) break;
    if (entry.kind === 'begin') {
      trimmedUpTo = Math.max(trimmedUpTo, endedAt ?? 0);
      entries = [];
      more = false;
    }
    // If the page has `more`, the caller reads the remaining entries up to the head.
    if (!more) entries = [...entries, entry];
    endedAt = entry.kind === 'end' ? entry.position : undefined;
    last = entry.position;
  }
  return { ...page, entries, trimmedUpTo, last, endedAt, more };
}
