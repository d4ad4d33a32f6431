import { TidingsError } from '../base/errors.ts';
import { nextIteration } from '../base/event-loop.ts';
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
  /** Called when an event was not accepted. */
  readonly onError: (error: unknown, channel: string | undefined) => void;
}

/**
 * How often `settled()` waits. Three rounds are enough for code that publishes a last event and then the end, each
 * after the previous call has resolved.
 */
const ROUNDS = 5;

/**
 * Appends published events to the log of this process, or to that of the broker, which then decides what is accepted.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  #isClosed = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Accepts no more events. Resolves when all accepted events are stored. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#options.queue?.settled();
  }

  /**
   * Resolves when all accepted events are stored, and also the events that are published in reaction to that. The
   * number of such rounds is limited, because other parts of the application may publish continuously.
   */
  async settled(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      await new Promise<void>(nextIteration);
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
   * @param content returns the entry. If it throws, the promise rejects.
   * @returns a promise of the entry's id. A rejection is reported, and does not cause an `unhandledRejection`.
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
        queue === undefined
          ? Promise.resolve(this.#appendLocally(draft))
          : this.#appendRemotely(draft, queue);
    } catch (error) {
      id = Promise.reject(error);
    }
    id.catch(error => this.#options.onError(error, channel));
    return id;
  }

  #appendLocally(draft: NewEntry): string {
    const { log, onPublished } = this.#options;
    const channel = log.channels.find(draft.channel);
    const endedAt = channel?.endedAt;
    // Idempotent: the channel has already ended, or is already open.
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
      // Idempotent, even if another process has ended the channel.
      if (draft.kind === 'end' && hasEnded) return log.id(endedAt ?? log.known);
      throw error;
    }
  }

  /** The state of a channel, as far as this process knows it. */
  localState(name: string): ChannelState['state'] {
    const channel = this.#options.log.channels.find(name);
    if (channel?.endedAt !== undefined) return 'ended';
    return channel === undefined || channel.history.isBlank ? 'unknown' : 'open';
  }
}

function channelEnded(name: string): TidingsError {
  return new TidingsError('ended', `the channel ${show(name)} has ended: call begin() to use it again`);
}
