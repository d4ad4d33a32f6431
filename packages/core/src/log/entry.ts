import { isObject } from '../base/option-checks.ts';
import { encode, type Origin } from '../protocol/event.ts';
import { formatId, type Position } from '../protocol/event-id.ts';
import { createFrame, type Frame } from '../protocol/frame.ts';

/** One entry of a channel's log. */
export interface Entry {
  readonly channel: string;
  readonly position: Position;
  /**
   * - `event`: an event.
   * - `gone`: an event that deletes its key (a tombstone).
   * - `end`: the channel has ended.
   * - `begin`: an ended channel was reopened; the entries before it were dropped.
   * - `control`: a control message of a hub, in the control channel only.
   */
  readonly kind: 'event' | 'gone' | 'end' | 'begin' | 'control';
  readonly event?: string | undefined;
  /** For compaction: the history retains the latest event of each key. */
  readonly key?: string | undefined;
  /** The id of a stream, or a client, that does not receive the event. */
  readonly except?: string | undefined;
  /** Whether `data` is the JSON of a value. False: it is text as it was published. */
  readonly json: boolean;
  readonly data: string;
}

/** An entry before it has a position. */
export type NewEntry = Omit<Entry, 'position'>;

/** Returns the data as it was published. Parses JSON anew at each call. */
export function parseData({ json, data }: Pick<Entry, 'json' | 'data'>): unknown {
  return json ? JSON.parse(data) : data;
}

/** Approximate bytes of an entry without its frame. */
const OVERHEAD = 256;

/** An entry of a history, with its event encoded once for all streams. */
export class LogEntry {
  readonly position: Position;
  readonly kind: Entry['kind'];
  readonly event: string | undefined;
  /** The key for compaction: the `key` of the event, else its name. */
  readonly key: string;
  readonly except: string | undefined;
  readonly data: string;
  /** Whether `data` is JSON. */
  readonly json: boolean;
  /** The encoded event with its id. Absent for entries that are not sent: `end`, `begin`, `control`. */
  readonly frame: Frame | undefined;
  /** ms, by the clock of the hub. */
  readonly at: number;
  /** Set if events are sent with the name of their channel. */
  readonly #origin: Origin | undefined;
  /** A compacted history has a newer entry with the same key. */
  isSuperseded = false;
  /** Bytes of all entries that its channel received before it. */
  writtenBefore = 0;
  #withoutId: Frame | undefined;
  #value: { deref(): object | undefined } | undefined;

  /** @param hasChannelField whether the event is sent with the name of its channel. */
  constructor(
    { channel, position, kind, event, key, except, json, data }: Entry,
    epoch: string,
    at: number,
    hasChannelField: boolean,
  ) {
    this.position = position;
    this.kind = kind;
    this.event = event;
    this.key = key ?? event ?? '';
    this.except = except;
    this.data = data;
    this.json = json;
    this.at = at;
    if (kind !== 'event' && kind !== 'gone') return;
    const id = formatId(epoch, position);
    if (hasChannelField) this.#origin = { channel, position: id };
    this.frame = createFrame(encode(data, { id, event }, hasChannelField ? { channel } : undefined), 1, true);
  }

  /** The event without its id, for events that are sent out of order (backfill). */
  get withoutId(): Frame {
    this.#withoutId ??= createFrame(encode(this.data, { event: this.event }, this.#origin), 1);
    return this.#withoutId;
  }

  /**
   * The data; parsed if it was published as a value. The parsed value is held weakly and is shared by the filters of
   * many streams until it is garbage-collected: the parsed data of a whole history would take many times its limit.
   */
  get value(): unknown {
    if (!this.json) return this.data;
    const cached = this.#value?.deref();
    if (cached !== undefined) return cached;
    const value: unknown = parseData(this);
    // Some versions of Workers have no WeakRef.
    if (isObject(value) && typeof WeakRef === 'function') this.#value = new WeakRef(value);
    return value;
  }

  get size(): number {
    return OVERHEAD + (this.frame?.length ?? 0);
  }
}
