import type { Position } from '@tidings/core';
import { CallFailed, interrupted } from './call-failed.ts';
import type { Inbox } from './inbox.ts';
import type { ReadReply, ReadRequest, Store } from './store.ts';

/**
 * Reads in such a way that it is known where in what comes over the subscription the read has its place: Redis sends
 * the head over the same connection, and when that is here, so is everything before it.
 */
export class HeadReader {
  readonly #store: Store;
  readonly #inbox: Inbox;
  /** Ms. */
  readonly #timeout: number;
  readonly #drop: (cause: unknown) => void;
  #tokens = 0;

  /** @param drop gives up the subscription: nothing comes over it. */
  constructor(store: Store, inbox: Inbox, timeout: number, drop: (cause: unknown) => void) {
    this.#store = store;
    this.#inbox = inbox;
    this.#timeout = timeout;
    this.#drop = drop;
  }

  /**
   * Resolves when everything up to the head has come. `arrived` is called at the moment it has.
   *
   * @throws {CallFailed}
   */
  async read(request: ReadRequest, arrived: (head: Position) => void): Promise<ReadReply> {
    this.#tokens += 1;
    const token = String(this.#tokens);
    const { life } = this.#inbox;
    let timer: NodeJS.Timeout | undefined;
    const arrival = new Promise<void>((resolve, reject) => {
      this.#inbox.expect(token, {
        arrived: head => {
          arrived(head);
          resolve();
        },
        interrupted: () => reject(interrupted()),
      });
    });
    // The other call may be the first to fail.
    arrival.catch(() => {});
    try {
      const reply = await this.#store.read({ ...request, token }, AbortSignal.timeout(this.#timeout));
      const late = new Promise<true>(resolve => {
        timer = setTimeout(resolve, this.#timeout, true);
      });
      if (await Promise.race([arrival, late])) {
        const error = new Error('nothing comes over the subscription');
        this.#drop(error);
        throw new CallFailed(error, false);
      }
      if (life !== this.#inbox.life) throw interrupted();
      return reply;
    } finally {
      clearTimeout(timer);
      this.#inbox.expectNoMore(token);
    }
  }
}
