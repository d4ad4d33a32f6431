import { setImmediate as nextIteration } from 'node:timers/promises';
import type { Opened, Page, Position, ReadFrom, Sink } from '@tidings/core';
import type { Connection } from './connection/connection.ts';
import type { Dialer } from './connection/dialer.ts';
import { ReconnectingConnection, type ReconnectingOptions } from './connection/reconnecting-connection.ts';
import { readServerInfo } from './connection/server.ts';
import { interrupted } from './errors.ts';
import type { Names } from './format.ts';
import { completePage, LogReader, slices } from './log-reader.ts';
import { Sequencer } from './sequencer.ts';
import type { Store } from './store.ts';

export interface LiveFeedOptions extends Pick<ReconnectingOptions, 'onFailed' | 'onMisconfigured'> {
  dialer: Dialer;
  store: Store;
  names: Names;
  sink: Sink;
  /** ms, for a connection and for each call. */
  timeout: number;
  /** ms between two probes. */
  probeInterval: number;
  /** The connection was established, and all missed entries were delivered; or the connection was lost. */
  onConnection(isConnected: boolean, cause?: unknown): void;
}

/**
 * The subscription to the open channels. It delivers every entry: if a message may have been missed, it reads the log.
 *
 * | event                       | disconnected                 | catching up               | live                     |
 * | --------------------------- | ---------------------------- | ------------------------- | ------------------------ |
 * | connected                   | subscribes → catching up     | -                         | -                        |
 * | message                     | -                            | buffered                  | delivered                |
 * | the log has been read       | -                            | delivers it, then the buffered messages → live | -   |
 * | gap in the messages         | -                            | -                         | → catching up            |
 * | gap found too late          | -                            | `sink.lost`               | `sink.lost`              |
 * | buffer full                 | -                            | drops it, reads again     | -                        |
 * | message of another epoch    | -                            | dropped; asks the store   | dropped; asks the store  |
 * | the store has a new epoch   | releases all channels        | releases all → live       | releases all             |
 * | a barrier or reply is late, the connection is lost, the server is another one | - | → disconnected | → disconnected |
 * | `open`                      | waits, rejects at `timeout`  | waits for its turn        | subscribes, reads, opens |
 * | `release`                   | closes the channels          | waits for its turn        | closes, unsubscribes     |
 * | `close`                     | closed                       | closed                    | closed                   |
 *
 * In the transition to `disconnected`, pending calls of `open` reject, and buffered messages are dropped. The next
 * connection reads the log from `deliveredUpTo`. Channels stay open. All reads while messages may arrive are made at a
 * barrier (see LogReader), so that each entry is either in a page or in a later message. Opening, releasing and
 * catching up run one at a time: see `#inOrder`.
 */
export class LiveFeed {
  readonly #store: Store;
  readonly #names: Names;
  readonly #timeout: number;
  readonly #connection: ReconnectingConnection;
  readonly #sequencer: Sequencer;
  readonly #reader: LogReader;
  readonly #probing: NodeJS.Timeout;
  /** The id of the connected server; '' while there is none. */
  #server = '';
  #lastTask: Promise<unknown> = Promise.resolve();

  constructor(options: LiveFeedOptions) {
    const { dialer, store, names, sink, timeout, probeInterval, onConnection } = options;
    this.#store = store;
    this.#names = names;
    this.#timeout = timeout;
    this.#sequencer = new Sequencer(sink, names, store, {
      foreignEpoch: epoch => this.#checkEpoch(epoch),
      gap: () => void this.#inOrder(() => this.#repairGaps()),
    });
    this.#connection = new ReconnectingConnection(dialer, {
      onMessage: (name, text) => this.#receive(name, text),
      prepare: connection => this.#onConnected(connection),
      onReady: () => onConnection(true),
      onLost: cause => {
        this.#server = '';
        this.#reader.interrupt();
        this.#sequencer.disconnect();
        onConnection(false, cause);
      },
      onFailed: options.onFailed,
      onMisconfigured: options.onMisconfigured,
    });
    this.#reader = new LogReader(store, this.#sequencer, timeout, cause => this.#connection.reconnect(cause));
    this.#probing = setInterval(() => {
      if (this.#connection.current !== undefined) void this.#reader.probe();
    }, probeInterval);
  }

  /** Connects. Entries up to `head` are not delivered. */
  async start(head: Position): Promise<Position> {
    this.#sequencer.deliveredUpTo = head;
    await this.#connection.ready(AbortSignal.timeout(this.#timeout));
    return this.#sequencer.deliveredUpTo;
  }

  async open(wants: ReadonlyMap<string, ReadFrom>): Promise<Opened> {
    const connection = await this.#connection.ready(AbortSignal.timeout(this.#timeout));
    return new Promise((resolve, reject) => {
      void this.#inOrder(async () => {
        const sequencer = this.#sequencer;
        const { generation } = sequencer;
        if (connection.isClosed || !sequencer.isLive) return reject(interrupted());
        try {
          resolve(await this.#open(connection, wants));
          // The caller must process the pages before newer entries are delivered.
          await nextIteration();
        } catch (error) {
          reject(error);
        }
        if (generation === sequencer.generation && sequencer.gaps.size === 0) sequencer.resume();
      });
    });
  }

  release(channels: readonly string[]): void {
    void this.#inOrder(async () => {
      const open = channels.filter(channel => this.#sequencer.openChannels.has(channel));
      this.#sequencer.release(open);
      this.#unsubscribe(open);
    });
  }

  /** The log has restarted in a new epoch. */
  restart(head: Position): void {
    this.#reader.interrupt();
    this.#unsubscribe(this.#sequencer.restart(head));
  }

  /** Called with the server that has replied to a call. A subscription to another server would get no messages. */
  checkServer(id: string): void {
    if (this.#server !== '' && this.#server !== id) this.#connection.reconnect(new Error('another server'));
  }

  close(): void {
    clearInterval(this.#probing);
    this.#connection.close();
  }

  #receive(name: string, text: string): void {
    if (name === this.#names.process) this.#reader.receiveBarrier(text);
    else if (name !== this.#names.notices) this.#sequencer.receive(name, text);
    else if (text === 'epoch') this.#checkEpoch('');
  }

  async #onConnected(connection: Connection): Promise<void> {
    this.#server = (await readServerInfo(connection)).id;
    await connection.subscribe([this.#names.process, this.#names.notices], this.#store.isSharded);
    await this.#inOrder(async () => {
      if (connection.isClosed) throw interrupted();
      for (const channels of slices([...this.#sequencer.openChannels.keys()])) {
        await this.#subscribe(connection, channels);
      }
      await this.#catchUp();
    });
  }

  /** Delivers the entries of the log after `deliveredUpTo` and in the gaps. Then the state is `live`. */
  async #catchUp(): Promise<void> {
    const sequencer = this.#sequencer;
    do {
      const { generation } = sequencer;
      sequencer.pause();
      const hasNoChannels = sequencer.openChannels.size === 0;
      const request = hasNoChannels ? {} : { since: sequencer.deliveredUpTo };
      const { head, changed } = await this.#reader.readAtBarrier(request, () => sequencer.discardBuffer());
      const open = sequencer.openChannels;
      const channels = new Set(
        hasNoChannels ? [] : (changed?.filter(channel => open.has(channel)) ?? open.keys()),
      );
      for (const channel of sequencer.gaps.keys()) channels.add(channel);
      await this.#reader.catchUp([...channels], head);
      if (generation !== sequencer.generation) throw interrupted();
      sequencer.markComplete(channels, head);
      sequencer.advance(head);
    } while (sequencer.hasOverflowed);
    sequencer.resume();
  }

  async #repairGaps(): Promise<void> {
    const { generation } = this.#sequencer;
    try {
      await this.#catchUp();
    } catch (error) {
      // In a newer generation, the next connection catches up, or the new epoch has no gaps to repair.
      if (generation === this.#sequencer.generation) this.#connection.reconnect(error);
    }
  }

  async #open(connection: Connection, wants: ReadonlyMap<string, ReadFrom>): Promise<Opened> {
    const sequencer = this.#sequencer;
    const { generation } = sequencer;
    const unopened = [...wants.keys()].filter(channel => !sequencer.openChannels.has(channel));
    const isUnopened = new Set(unopened);
    const pages = new Map<string, Page>();
    let head: Position = 0;
    sequencer.startOpening(unopened);
    try {
      const parts = slices([...wants]);
      for (const [index, part] of parts.entries()) {
        const channels = part.map(([channel]) => channel).filter(channel => isUnopened.has(channel));
        await this.#subscribe(connection, channels);
        const reply = await this.#reader.readAtBarrier({ wants: part }, barrier => {
          if (!sequencer.isLive) return;
          sequencer.advance(barrier);
          sequencer.startCollecting(channels);
          // Entries after the head of the last part are delivered only after the caller has received the pages.
          if (index === parts.length - 1) sequencer.pause();
        });
        if (generation !== sequencer.generation || sequencer.gaps.size > 0) throw interrupted();
        for (const [channel, page] of reply.pages) pages.set(channel, page);
        head = reply.head;
      }
    } catch (error) {
      if (generation === sequencer.generation) {
        sequencer.abandonOpening(unopened);
        this.#unsubscribe(unopened);
      }
      throw error;
    }
    for (const channel of unopened) {
      const arrived = sequencer.finishOpening(channel, head);
      pages.set(channel, completePage(pages.get(channel) as Page, arrived, head));
    }
    return { head, pages };
  }

  #checkEpoch(epoch: string): void {
    void this.#store.checkEpoch(epoch, AbortSignal.timeout(this.#timeout));
  }

  #subscribe(connection: Connection, channels: readonly string[]): Promise<void> {
    return connection.subscribe(channels.map(this.#names.entriesOf), this.#store.isSharded);
  }

  #unsubscribe(channels: readonly string[]): void {
    for (const slice of slices(channels)) {
      // Errors are ignored: a lost connection has no subscriptions.
      this.#connection.current
        ?.unsubscribe(slice.map(this.#names.entriesOf), this.#store.isSharded)
        .catch(() => {});
    }
  }

  /** Runs tasks one at a time, in the order of the calls. */
  #inOrder<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#lastTask.then(task);
    this.#lastTask = done.catch(() => {});
    return done;
  }
}
