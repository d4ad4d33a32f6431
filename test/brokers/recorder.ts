import type { Broker, Draft, Entry, Position, Sink } from '@tidings/core';

const KEEP = { events: 256, bytes: 1024 * 1024, age: 300_000, compact: false };

export function draft(channel: string, data: string, more: Partial<Draft> = {}): Draft {
  return { channel, kind: 'event', data, keep: KEEP, ...more };
}

/** A sink that writes down what it is given, in order. */
class Recorder implements Sink {
  readonly log: unknown[] = [];
  readonly list: Entry[] = [];
  readonly lostChannels: (readonly string[] | undefined)[] = [];
  readonly breaks: [Position, Position][] = [];
  readonly epochs: string[] = [];
  readonly notes: string[] = [];
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
    this.#look();
  }

  seen(head: Position): void {
    this.head = Math.max(this.head, head);
    this.#look();
  }

  lost(channels?: readonly string[]): void {
    this.lostChannels.push(channels);
    this.log.push(`lost ${channels}`);
    this.#look();
  }

  broken(after: Position, before: Position): void {
    this.breaks.push([after, before]);
    this.#look();
  }

  epoch(epoch: string, head: Position): void {
    this.epochs.push(epoch);
    this.newest = this.head = head;
    this.log.push('epoch');
    this.#look();
  }

  note(text: string): void {
    this.notes.push(text);
    this.#look();
  }

  /** What came to a channel. */
  data(channel: string): string[] {
    return this.list.filter(entry => entry.channel === channel).map(({ data }) => data);
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const look = () => {
        if (!condition()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }
}

/** A node: a broker that has begun, and what it gives. */
export interface Node {
  broker: Broker;
  sink: Recorder;
  epoch: string;
  head: Position;
  publish(...drafts: Draft[]): Promise<Position[]>;
}

export async function begin(broker: Broker): Promise<Node> {
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
