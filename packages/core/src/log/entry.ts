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
export type Unplaced = Omit<Entry, 'position'>;

/** The data as it was published; an object is a copy of its own. */
export function parseData({ json, data }: Pick<Entry, 'json' | 'data'>): unknown {
  return json ? JSON.parse(data) : data;
}

/** Bytes that an entry takes beside its frame, about. */
const OVERHEAD = 256;

/** An entry of a history, with its event encoded once for all streams. */
export class LogEntry {
  readonly position: Position;
  readonly kind: Entry['kind'];
  readonly event: string | undefined;
  /** The key for compaction: its own, else the name of the event. */
  readonly key: string;
  readonly except: string | undefined;
  readonly data: string;
  /** Whether `data` is JSON. */
  readonly json: boolean;
  /** The event with its id. Absent for an entry that sends nothing: `end`, `begin`, `control`. */
  readonly frame: Frame | undefined;
  /** ms, by the clock of the hub. */
  readonly at: number;
  /** For clients that want to know it. */
  readonly #origin: Origin | undefined;
  /** There is a newer entry of its key in a compacted history. */
  isSuperseded = false;
  /** Bytes of all entries that its channel received before it. */
  writtenBefore = 0;
  #withoutId: Frame | undefined;
  #value: { deref(): object | undefined } | undefined;

  /** @param hasChannelField its channel is sent. */
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
   * The data: parsed, if it was published as a value. For the filters of many streams it is parsed once, as long as the
   * garbage collector leaves it alone: the parsed data of a whole history would take many times its bound.
   */
  get value(): unknown {
    if (!this.json) return this.data;
    const known = this.#value?.deref();
    if (known !== undefined) return known;
    const value: unknown = parseData(this);
    // Some versions of Workers have no WeakRef.
    if (isObject(value) && typeof WeakRef === 'function') this.#value = new WeakRef(value);
    return value;
  }

  get size(): number {
    return OVERHEAD + (this.frame?.length ?? 0);
  }
}
