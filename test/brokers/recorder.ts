import type { Broker, Draft, Entry, Position, Sink } from '@tidings/core';

const KEEP = { events: 256, bytes: 1024 * 1024, age: 300_000, compact: false };

export function draft(channel: string, data: string, more: Partial<Draft> = {}): Draft {
  return { channel, kind: 'event', json: false, data, keep: KEEP, ...more };
}

/** A sink that records what it is given, in order. */
class Recorder implements Sink {
  readonly log: unknown[] = [];
  readonly list: Entry[] = [];
  readonly lostChannels: (readonly string[] | undefined)[] = [];
  /** Of each loss, whether only compacted entries are missing. */
  readonly compactions: boolean[] = [];
  readonly breaks: [Position, Position][] = [];
  readonly epochs: string[] = [];
  readonly reports: unknown[] = [];
  readonly connections: [isConnected: boolean, cause: unknown][] = [];
  head: Position = 0;
  newest: Position = 0;
  #waiting = new Set<() => void>();

  entries(list: readonly Entry[]): void {
    for (const entry of list) {
      if (entry.position <= this.newest) {
        this.log.push(`out of order: ${entry.position} after ${this.newest}`);
        throw new Error(`out of order: ${entry.position} after ${this.newest}`);
      }
      this.newest = entry.position;
      this.list.push(entry);
      this.log.push(`${entry.channel} ${entry.data}`);
    }
    this.#check();
  }

  advanced(head: Position): void {
    this.head = Math.max(this.head, head);
    this.#check();
  }

  lost(channels?: readonly string[], isCompaction = false): void {
    this.lostChannels.push(channels);
    this.compactions.push(isCompaction);
    this.log.push(`lost ${channels}`);
    this.#check();
  }

  broken(after: Position, before: Position): void {
    this.breaks.push([after, before]);
    this.#check();
  }

  restarted(epoch: string, head: Position): void {
    this.epochs.push(epoch);
    this.newest = this.head = head;
    this.log.push('restarted');
    this.#check();
  }

  connection(isConnected: boolean, cause?: unknown): void {
    this.connections.push([isConnected, cause]);
    this.#check();
  }

  report(error: unknown): void {
    this.reports.push(error);
    this.#check();
  }

  /** The data of what was given of a channel. */
  data(channel: string): string[] {
    return this.list.filter(entry => entry.channel === channel).map(({ data }) => data);
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const check = () => {
        if (!condition()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  #check(): void {
    for (const check of this.#waiting) check();
  }
}

/** The broker of one process, started, with its sink. */
export interface StartedBroker {
  broker: Broker;
  sink: Recorder;
  epoch: string;
  head: Position;
  /** Publishes. Rejects with the first draft's error, if there is one. */
  publish(...drafts: Draft[]): Promise<Position[]>;
}

export async function start(broker: Broker): Promise<StartedBroker> {
  const sink = new Recorder();
  const { epoch, head } = await broker.start(sink);
  sink.newest = sink.head = head;
  return {
    broker,
    sink,
    epoch,
    head,
    async publish(...drafts) {
      const { results } = await broker.publish(drafts, AbortSignal.timeout(5_000));
      for (const result of results) if (typeof result !== 'number') throw result;
      return results as Position[];
    },
  };
}
