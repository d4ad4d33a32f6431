import { createOutside } from '../../base/async-context.ts';
import { forEachYielding, IterationBudget, nextIteration } from '../../base/event-loop.ts';
import type { Position } from '../../protocol/event-id.ts';
import type { ChannelWaiter } from '../listener.ts';
import type { Log } from '../log.ts';
import { type Broker, CONTROL_CHANNEL, type LogHead, type Page, type Sink } from './broker.ts';
import { BrokerHealth } from './broker-health.ts';
import { ControlFollower, type ControlListener } from './control-follower.ts';

/** Average ms to wait before a failed call is repeated. */
const RETRY = 1_000;

/** What a broker sync needs of its hub. */
export interface BrokerSyncOptions extends ControlListener {
  /** Called when calls of the broker begin to fail, and when they fail for another cause. */
  onError: (error: unknown) => void;
}

/**
 * Keeps the log of this process in step with a broker.
 *
 * The broker as a whole: `idle` → (first subscription, publish, stream with a `client`, or other call that needs the
 * broker) → `starting` → `started` → `closed`. A call that rejects is repeated about every second until it succeeds;
 * streams wait. The error is reported once for each cause.
 *
 * Each channel is in one of three states:
 *
 * | event               | unopened             | opening                          | open (`isOpen`)                    |
 * | ------------------- | -------------------- | -------------------------------- | ---------------------------------- |
 * | a stream needs it   | → opening            | waits for the next read          | read again if entries are missing  |
 * | the read succeeds   |                      | adds the page, → open            | adds the older entries             |
 * | the read fails      |                      | stays, read again                | stays, read again                  |
 * | `sink.entries`      | not in memory: only the head moves | appended           | appended                           |
 * | `sink.lost`         |                      | the page is discarded, read again | → unopened; streams get a reset and read it again |
 * | `sink.restarted`    | dropped              | the page is discarded; dropped   | dropped; streams begin again       |
 * | no stream needs it  | dropped              | stays until the read ends        | dropped, `broker.release`          |
 *
 * All reads that are requested in one iteration of the event loop share one `open` call. Then each {@link ChannelWaiter}
 * is called back, and requests another read if it lacks more entries by then. Its phases are in `ChannelOpener`.
 */
export class BrokerSync {
  readonly health = new BrokerHealth();
  readonly #broker: Broker;
  readonly #log: Log;
  readonly #options: BrokerSyncOptions;
  readonly #control: ControlFollower;
  readonly #outside = createOutside();
  #waiting: ChannelWaiter[] = [];
  #isGathering = false;
  #started: Promise<void> | undefined;
  #isClosed = false;
  /** Ends the wait before a call is repeated. */
  #stopWaiting: (() => void) | undefined;

  constructor(broker: Broker, log: Log, options: BrokerSyncOptions) {
    this.#broker = broker;
    this.#log = log;
    this.#options = options;
    this.#control = new ControlFollower(log, waiter => this.load(waiter), options);
  }

  /** Resolves when the broker has returned the epoch and the head of its log. */
  start(): Promise<void> {
    this.#started ??= new Promise(resolve => {
      this.#outside(() => resolve(this.#start()));
    });
    return this.#started;
  }

  /**
   * Reads the entries that a waiter lacks, and calls it back. Returns false if nothing has to be read.
   *
   * While the control channel is not open, every stream waits. A message that has not arrived may name a stream, which
   * must not begin before.
   */
  load(waiter: ChannelWaiter): boolean {
    const isControlOpen = this.#log.channels.find(CONTROL_CHANNEL)?.isOpen === true;
    if (isControlOpen && waiter.wants().size === 0) return false;
    this.#waiting.push(waiter);
    if (!this.#isGathering) {
      this.#isGathering = true;
      nextIteration(() => this.#gather());
    }
    return true;
  }

  /** The newest position of all processes. */
  async head(): Promise<LogHead> {
    await this.start();
    return this.#broker.head();
  }

  /** Stops following a channel that was dropped. */
  release(channel: string): void {
    this.#broker.release([channel]);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopWaiting?.();
    if (this.#started !== undefined) await this.#broker.close();
  }

  async #start(): Promise<void> {
    const log = this.#log;
    const beganAt = performance.now();
    const sink: Sink = {
      entries: list => {
        this.health.arrived(list);
        log.appendRemote(list);
      },
      advanced: head => {
        this.health.confirm();
        log.advance(head);
      },
      lost: (names, isCompaction) => this.#lose(names, isCompaction),
      broken: (after, before) => log.break(after, before),
      restarted: (epoch, head) => {
        log.startOver(epoch, head);
        this.#control.startOver();
      },
      connection: (isConnected, cause) => this.health.connection(isConnected, cause),
      report: error => this.#report(error),
    };
    await this.#retry(async () => {
      const { epoch, head } = await this.#broker.start(sink);
      this.health.confirm();
      log.begin(epoch, head);
    });
    this.#control.follow(performance.now() - beganAt);
  }

  #report(error: unknown): void {
    if (this.health.isNewError(error)) this.#options.onError(error);
  }

  #lose(names: readonly string[] | undefined, isCompaction = false): void {
    const { channels } = this.#log;
    const lost = names === undefined ? [...channels.all()] : names.flatMap(name => channels.find(name) ?? []);
    this.#log.lose(isCompaction ? lost.filter(({ history }) => !history.keep.compact) : lost);
  }

  async #gather(): Promise<void> {
    await this.start();
    while (this.#waiting.length > 0 && !this.#isClosed) {
      let waiters: ChannelWaiter[] = [];
      await this.#retry(async () => {
        waiters = waiters.concat(this.#waiting.splice(0));
        await this.#readFor(waiters);
      });
      await forEachYielding(waiters, waiter => waiter.loaded());
    }
    this.#isGathering = false;
  }

  async #readFor(waiters: readonly ChannelWaiter[]): Promise<void> {
    const wants = this.#gatherWants(waiters);
    if (wants.size === 0) return;
    const { channels } = this.#log;
    // Those in memory, too: a stream needs the entries of all of them to begin.
    const awaited = waiters.flatMap(waiter => waiter.channels());
    channels.setBeingRead(awaited, true);
    try {
      await this.#read(wants, waiters);
    } finally {
      channels.setBeingRead(awaited, false);
    }
  }

  #gatherWants(waiters: readonly ChannelWaiter[]): Map<string, Position> {
    const wants = new Map<string, Position>();
    for (const waiter of waiters) {
      for (const [name, after] of waiter.wants()) {
        const channel = this.#log.channels.find(name);
        // If older entries of an open channel are missing, the whole channel is read, so that it is read only once.
        const isOlder = channel?.isOpen === true && channel.lacks(after);
        wants.set(name, isOlder ? 0 : Math.min(after, wants.get(name) ?? after));
      }
    }
    return wants;
  }

  async #read(wants: ReadonlyMap<string, Position>, waiters: readonly ChannelWaiter[]): Promise<void> {
    const log = this.#log;
    const { epoch } = log;
    const losses = new Map([...wants.keys()].map(name => [name, log.channels.find(name)?.losses]));
    const { head, pages } = await this.#broker.open(wants);
    // Before the pages: a stream may begin on a channel that has its page, while others are still read.
    if (log.epoch === epoch) log.advance(head);
    const budget = new IterationBudget();
    for (const [name, first] of pages) {
      const page = first.more ? await this.#readRest(name, first, head) : first;
      if (budget.isSpent) await new Promise<void>(nextIteration);
      const channel = log.channels.find(name);
      // The pages belong to an earlier epoch, or lack entries that were lost meanwhile.
      const isLost = channel !== undefined && channel.losses !== losses.get(name);
      if (log.epoch !== epoch || isLost) return this.#readFor(waiters);
      if (channel === undefined) {
        this.release(name);
        continue;
      }
      if (name === CONTROL_CHANNEL) this.#control.catchUp(page);
      log.fill(channel, page, wants.get(name) ?? 0, head);
    }
  }

  async #readRest(name: string, first: Page, head: Position): Promise<Page> {
    const entries = [...first.entries];
    let { trimmedUpTo, more } = first;
    while (more) {
      const after = entries.at(-1)?.position ?? trimmedUpTo;
      const next = await this.#broker.read(name, after, head);
      // Entries were trimmed between the two pages, so there is a gap after the earlier pages. They are discarded. A
      // compacted channel also has entries before `trimmedUpTo`, so it is read again from the beginning.
      const hasGap = next.trimmedUpTo > Math.max(after, trimmedUpTo);
      if (hasGap) {
        entries.length = 0;
        trimmedUpTo = next.trimmedUpTo;
      }
      if (hasGap && this.#log.channels.find(name)?.history.keep.compact) {
        return this.#readRest(name, await this.#broker.read(name, 0, head), head);
      }
      for (const entry of next.entries) entries.push(entry);
      more = next.more && next.entries.length > 0;
    }
    return { ...first, entries, trimmedUpTo, more };
  }

  /** Repeats a call until it succeeds or the hub is closed. */
  async #retry(call: () => Promise<void>): Promise<void> {
    while (!this.#isClosed) {
      try {
        await call();
        this.health.succeeded();
        return;
      } catch (error) {
        if (this.#isClosed) return;
        this.health.failed(error);
        this.#report(error);
        await new Promise<void>(resolve => {
          const timer = setTimeout(resolve, RETRY * (0.5 + Math.random()));
          this.#stopWaiting = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    }
  }
}
