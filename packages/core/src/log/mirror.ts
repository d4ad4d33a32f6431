import { createOutside } from '../outside.ts';
import { inTurns, nextTurn } from '../scheduler.ts';
import { type Broker, CONTROL_CHANNEL, type LogHead, type Page, type Sink } from './broker.ts';
import type { Entry } from './entry.ts';
import type { Log } from './log.ts';
import type { Position } from './position.ts';

/** Who waits for channels to be fetched. */
export interface Loader {
  /** What is missing, as things stand now. */
  wants(): ReadonlyMap<string, Position>;
  /** All of what it wanted is there, as far as the broker has it. */
  loaded(): void;
}

/** Ms between two calls of a broker that fails. */
const RETRY = 1_000;

/** Keeps a log in step with a broker: asks for the channels that streams need, and takes what comes to them. */
export class Mirror {
  readonly #broker: Broker;
  readonly #log: Log;
  readonly #report: (error: unknown) => void;
  readonly #tell: (text: string) => void;
  readonly #outside = createOutside();
  #waiting: Loader[] = [];
  /** What the broker is being asked for. */
  #wanted: ReadonlyMap<string, Position> = new Map();
  #isGathering = false;
  #started: Promise<void> | undefined;
  #isStarted = false;
  #wake: (() => void) | undefined;
  #isClosed = false;

  /**
   * @param report called with what goes wrong with the broker.
   * @param tell called with the data of each control message.
   */
  constructor(broker: Broker, log: Log, report: (error: unknown) => void, tell: (text: string) => void) {
    this.#broker = broker;
    this.#log = log;
    this.#report = report;
    this.#tell = tell;
  }

  /** Resolves when the broker has said where it stands; until then it is asked again and again. */
  start(): Promise<void> {
    this.#started ??= new Promise(resolve => {
      this.#outside(() => resolve(this.#start()));
    });
    return this.#started;
  }

  /** Fetches what somebody wants; false if nothing is missing. What is wanted in one turn is asked for together. */
  load(loader: Loader): boolean {
    if (this.#isStarted && loader.wants().size === 0) return false;
    this.#waiting.push(loader);
    if (!this.#isGathering) {
      this.#isGathering = true;
      nextTurn(() => this.#gather());
    }
    return true;
  }

  /** The newest position of all nodes. */
  async head(): Promise<LogHead> {
    await this.start();
    return this.#broker.head();
  }

  /** Whether a channel is about to be filled. */
  isFetching(channel: string): boolean {
    return this.#wanted.has(channel);
  }

  shut(channel: string): void {
    this.#broker.release([channel]);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake?.();
    if (this.#started === undefined) return;
    await this.#broker.close();
  }

  async #start(): Promise<void> {
    const log = this.#log;
    const sink: Sink = {
      entries: list => {
        this.#control(list);
        log.mirrorEntries(list);
      },
      advanced: head => log.seen(head),
      lost: channels => log.lost(channels),
      broken: (after, before) => log.broken(after, before),
      restarted: (epoch, head) => {
        log.startOver(epoch, head);
        this.#followControl();
      },
      connection() {},
    };
    await this.#insist(async () => {
      const { epoch, head } = await this.#broker.start(sink);
      this.#isStarted = true;
      log.begin(epoch, head);
    });
    this.#followControl();
  }

  /** Opens the channel of control messages, together with what else is wanted. */
  #followControl(): void {
    let isOpen = false;
    const { head } = this.#log;
    this.load({
      wants: () => new Map<string, Position>(isOpen ? [] : [[CONTROL_CHANNEL, head]]),
      loaded() {
        isOpen = true;
      },
    });
  }

  #control(entries: readonly Entry[]): void {
    for (const { channel, data } of entries) if (channel === CONTROL_CHANNEL) this.#tell(data);
  }

  async #gather(): Promise<void> {
    await this.start();
    while (this.#waiting.length > 0 && !this.#isClosed) {
      let loaders: Loader[] = [];
      await this.#insist(async () => {
        loaders = loaders.concat(this.#waiting.splice(0));
        await this.#fetch(loaders);
      });
      this.#wanted = new Map();
      await inTurns(loaders, loader => loader.loaded());
    }
    this.#isGathering = false;
  }

  async #fetch(loaders: readonly Loader[]): Promise<void> {
    const wants = new Map<string, Position>();
    for (const loader of loaders) {
      for (const [name, after] of loader.wants()) {
        // A channel that is read again is read whole: others, who come back from earlier, find it then.
        const isOpen = this.#log.channels.find(name)?.isOpen === true;
        wants.set(name, isOpen ? 0 : Math.min(after, wants.get(name) ?? after));
      }
    }
    this.#wanted = wants;
    if (wants.size === 0) return;
    const { epoch } = this.#log;
    const { head, pages } = await this.#broker.open(wants);
    for (const [name, first] of pages) {
      if (name === CONTROL_CHANNEL) {
        this.#control(first.entries);
        continue;
      }
      const page = first.more ? await this.#readOn(name, first, head) : first;
      const channel = this.#log.channels.find(name);
      // What was read is of a life that has ended, or has been lost meanwhile.
      if (this.#log.epoch !== epoch || (channel?.lostAt ?? 0) > head) return this.#fetch(loaders);
      if (channel === undefined) {
        this.shut(name);
        continue;
      }
      // An id of the future is no place to go on from.
      const after = Math.min(head, wants.get(name) ?? 0);
      this.#log.fill(channel, page, after, head);
    }
    this.#log.seen(head);
  }

  async #readOn(name: string, first: Page, head: number): Promise<Page> {
    let { entries, trimmedUpTo, more } = first;
    while (more) {
      const after = entries.at(-1)?.position ?? trimmedUpTo;
      const next = await this.#broker.read(name, after, head);
      // What is in between has been trimmed meanwhile.
      const isCut = next.trimmedUpTo > after;
      if (isCut) trimmedUpTo = next.trimmedUpTo;
      entries = isCut ? next.entries : [...entries, ...next.entries];
      more = next.more && next.entries.length > 0;
    }
    return { ...first, entries, trimmedUpTo, more };
  }

  /** Tries until it succeeds, or the hub is closed. */
  async #insist(action: () => Promise<void>): Promise<void> {
    while (!this.#isClosed) {
      try {
        return await action();
      } catch (error) {
        if (this.#isClosed) return;
        this.#report(error);
        await new Promise<void>(resolve => {
          const timer = setTimeout(resolve, RETRY * (0.5 + Math.random()));
          this.#wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    }
  }
}
