import { TidingsError } from '../base/errors.ts';
import { nextTurn } from '../base/event-loop.ts';
import { show } from '../base/option-checks.ts';
import type { ChannelState } from '../log/broker/broker.ts';
import type { PublishQueue } from '../log/broker/publish-queue.ts';
import type { NewEntry } from '../log/entry.ts';
import type { ChannelSettings } from '../log/keep.ts';
import type { Log } from '../log/log.ts';
import { type ChannelName, nameOf } from '../protocol/channel-name.ts';
import type { PublishFields } from './hub-channel.ts';
import { readPublished } from './options/publish-fields.ts';

/** What a publisher needs of its hub. */
export interface PublisherOptions {
  readonly log: Log;
  /** Absent: the log is in this process. */
  readonly queue: PublishQueue | undefined;
  readonly settingsOf: (name: string) => ChannelSettings;
  readonly onPublished: (channel: string) => void;
  /** An event was not accepted. */
  readonly onError: (error: unknown, channel: string | undefined) => void;
}

/** Who publishes last words and then an end, each after the answer to the last, needs three. */
const ROUNDS = 5;

/** Appends what the application publishes to the log: here, or through the broker, which decides what is accepted. */
export class Publisher {
  readonly #options: PublisherOptions;
  #isClosed = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Resolves when everything accepted so far is stored. Nothing more is accepted. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#options.queue?.settled();
  }

  /**
   * Resolves when everything accepted so far is stored, and what is published when that is known: a few times, since
   * other parts of the application may publish all the time.
   */
  async settled(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      await new Promise<void>(nextTurn);
      await this.#options.queue?.settled();
    }
  }

  /** Publishes an event. Resolves with its id. */
  publish(channel: ChannelName, data: unknown, fields?: PublishFields): Promise<string> {
    return this.#append(channel, () => readPublished(data, fields));
  }

  /** Appends an entry without data. */
  appendMark(channel: string, kind: 'end' | 'begin'): Promise<string> {
    return this.#append(channel, () => ({ kind, json: false, data: '' }));
  }

  /**
   * Appends an entry to a channel.
   *
   * @param content may throw: that becomes a rejection, which is reported and never an unhandled one.
   * @returns the id of the entry.
   */
  #append(target: ChannelName, content: () => Omit<NewEntry, 'channel'>): Promise<string> {
    let channel: string | undefined;
    let id: Promise<string>;
    try {
      channel = nameOf(target);
      if (this.#isClosed) throw new TidingsError('closed', 'the hub is closed');
      const draft = { ...content(), channel };
      const { queue } = this.#options;
      id =
        queue === undefined ? Promise.resolve(this.#appendHere(draft)) : this.#appendRemotely(draft, queue);
    } catch (error) {
      id = Promise.reject(error);
    }
    id.catch(error => this.#options.onError(error, channel));
    return id;
  }

  #appendHere(draft: NewEntry): string {
    const { log, onPublished } = this.#options;
    const channel = log.channels.find(draft.channel);
    const endedAt = channel?.endedAt;
    // Nothing changes: the channel has ended already, or is open already.
    if (draft.kind === 'end' && endedAt !== undefined) return log.id(endedAt);
    if (draft.kind === 'begin' && endedAt === undefined) return log.id(channel?.history.newest ?? log.head);
    if (draft.kind !== 'begin' && endedAt !== undefined) throw channelEnded(draft.channel);
    const position = log.append(draft);
    onPublished(draft.channel);
    return log.id(position);
  }

  async #appendRemotely(draft: NewEntry, queue: PublishQueue): Promise<string> {
    const { log, settingsOf, onPublished } = this.#options;
    const { events, bytes, age, compact } = settingsOf(draft.channel);
    try {
      const stored = await queue.publish({ ...draft, keep: { events, bytes, age, compact } });
      onPublished(draft.channel);
      return log.acknowledge(...stored);
    } catch (error) {
      const endedAt = log.channels.find(draft.channel)?.endedAt;
      const hasEnded = (error as { code?: unknown } | null)?.code === 'ended';
      // A second `end` changes nothing, whichever process ended the channel.
      if (draft.kind === 'end' && hasEnded) return log.id(endedAt ?? log.known);
      throw error;
    }
  }

  /** What is known of a channel of this process. */
  stateHere(name: string): ChannelState['state'] {
    const channel = this.#options.log.channels.find(name);
    if (channel?.endedAt !== undefined) return 'ended';
    return channel === undefined || channel.history.isBlank ? 'unknown' : 'open';
  }
}

function channelEnded(name: string): TidingsError {
  return new TidingsError('ended', `the channel ${show(name)} has ended: call begin() to use it again`);
}
