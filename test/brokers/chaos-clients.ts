import { setTimeout as pause } from 'node:timers/promises';
import { type Client, request } from '../support/client.ts';

/** An event that is posted to a server. */
export interface Post {
  channel: string;
  data: number;
}

/** The result of one of them. */
export interface Outcome {
  id?: string;
  code?: string;
}

/** Published to every client at the end. */
const LAST = -1;
const NEVER = new Promise<void>(() => {});

/** Publishes, and records which events were accepted. */
export class Feed {
  /** By their data. Of the others nothing is known. */
  readonly accepted = new Map<number, Post>();
  /** The data of events that were certainly not stored. */
  readonly refused = new Set<number>();
  readonly #origin: () => string;

  /** @param origin of a process that is asked next. */
  constructor(origin: () => string) {
    this.#origin = origin;
  }

  /** Publishes so many events, in turn to the channels, 16 in a request. */
  async publish(count: number, channels: readonly string[]): Promise<void> {
    const sent: Promise<void>[] = [];
    for (let first = 0; first < count; first += 16) {
      const posts = Array.from({ length: 16 }, (_, index) => first + index).map(data => {
        return { channel: channels[data % channels.length] as string, data };
      });
      sent.push(this.#post(posts));
      await pause(10);
    }
    await Promise.all(sent);
  }

  /** Publishes the last event. */
  async end(): Promise<void> {
    while (!this.accepted.has(LAST)) await this.#post([{ channel: 'all', data: LAST }]);
  }

  async #post(posts: readonly Post[]): Promise<void> {
    const response = fetch(this.#origin(), { method: 'POST', body: JSON.stringify(posts) });
    // Without a response, the process was killed, before or after it published.
    const outcomes = (await response.then(each => each.json()).catch(() => [])) as Outcome[];
    outcomes.forEach(({ id, code }, index) => {
      const post = posts[index] as Post;
      if (id !== undefined) this.accepted.set(post.data, post);
      else if (code === 'not-stored') this.refused.add(post.data);
      else if (code !== 'maybe-stored') throw new Error(`publish rejects with ${code}`);
    });
  }
}

/** A client that reconnects as a browser does: with its last id, to any of the processes. */
export class ReconnectingClient {
  readonly channels: readonly string[];
  readonly received: { position: number; data: number }[] = [];
  readonly resets: string[] = [];
  /** Whether it stays until the last event has arrived. */
  isLast = false;
  readonly #origin: () => string;
  #lastEventId: string | undefined;

  constructor(origin: () => string, channels: readonly string[]) {
    this.#origin = origin;
    this.channels = channels;
  }

  /** Reads until the last event. */
  async read(): Promise<void> {
    while (this.received.at(-1)?.data !== LAST) {
      const headers = this.#lastEventId === undefined ? {} : { 'last-event-id': this.#lastEventId };
      const client = await request(this.#origin(), `/${this.channels}`, { headers }).catch(() => undefined);
      if (client === undefined) {
        await pause(50);
        continue;
      }
      const isLast = client.until(({ events }) => events.at(-1)?.data === String(LAST)).catch(() => {});
      const leaves = pause(100 + Math.random() * 1_900).then(() => (this.isLast ? NEVER : undefined));
      await Promise.race([isLast, leaves, client.ended]);
      client.reset();
      await client.ended;
      this.#take(client);
    }
  }

  /** What is wrong with what it has received: '' if nothing is. */
  faults({ accepted, refused }: Feed): string[] {
    const positions = this.received.map(({ position }) => position);
    const came = new Set(this.received.map(({ data }) => data));
    const expected = [...accepted.values()].filter(({ channel }) => this.channels.includes(channel));
    return [
      ...this.resets.map(data => `reset ${data}`),
      ...positions
        .filter((position, index) => index > 0 && position <= (positions[index - 1] as number))
        .map(position => `out of order: ${position}`),
      ...expected.filter(({ data }) => !came.has(data)).map(({ data }) => `lost: ${data}`),
      ...[...came].filter(data => refused.has(data)).map(data => `refused, and received: ${data}`),
      ...(came.size < this.received.length ? ['received twice'] : []),
    ];
  }

  #take({ events }: Client): void {
    for (const { id, event, data } of events) {
      this.#lastEventId = id ?? this.#lastEventId;
      if (event === 'reset') this.resets.push(data);
      if (event !== undefined) continue;
      this.received.push({ position: Number(id?.split('-')[1]), data: Number(data) });
    }
  }
}
