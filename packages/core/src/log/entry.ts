import { encode } from '../event.ts';
import { createFrame, type Frame } from '../frame.ts';
import { formatId, type Position } from './position.ts';

/** One element of a channel's log. */
export interface Entry {
  readonly channel: string;
  readonly position: Position;
  /**
   * `event`: an event. `gone`: an event that deletes its key (a tombstone). `end`: the channel has ended. `begin`: an
   * ended channel begins again, and everything before was dropped. `control`: a control message, in the channel of
   * control messages only.
   */
  readonly kind: 'event' | 'gone' | 'end' | 'begin' | 'control';
  readonly event?: string | undefined;
  /** For compaction: only the newest event of each key is retained. */
  readonly key?: string | undefined;
  /** The id of a stream, or a client, that does not receive it. */
  readonly except?: string | undefined;
  /** Whether `data` is JSON that was made from a value. False: it is text, as it was published. */
  readonly json: boolean;
  /** As it goes on the wire. */
  readonly data: string;
}

/** Bytes that an entry takes beside its frame, about. */
const OVERHEAD = 256;

/** An entry, encoded once. */
export class LogEntry {
  readonly position: Position;
  readonly isEnd: boolean;
  readonly isBegin: boolean;
  readonly isGone: boolean;
  readonly event: string | undefined;
  /** What it is the newest of: its own key, else its name. */
  readonly key: string;
  readonly except: string | undefined;
  readonly data: string;
  /** With its id. The end and the beginning of a channel have nothing to send. */
  readonly frame: Frame | undefined;
  /** Ms, by the clock of the hub. */
  readonly at: number;
  /** There is a newer one of its key, in a history that keeps only the newest. */
  isSuperseded = false;
  /** Counts up with every 64 KiB of its channel: joined writes are cut where it changes. */
  block = 0;
  #bare: Frame | undefined;

  constructor({ position, kind, event, key, except, data }: Entry, epoch: string, at: number) {
    this.position = position;
    this.isEnd = kind === 'end';
    this.isBegin = kind === 'begin';
    this.isGone = kind === 'gone';
    this.event = event;
    this.key = key ?? event ?? '';
    this.except = except;
    this.data = data;
    this.at = at;
    this.frame =
      this.isEnd || this.isBegin
        ? undefined
        : createFrame(encode(data, { id: formatId(epoch, position), event }), 1);
  }

  /** Without its id, for what is sent out of order. */
  get bare(): Frame {
    this.#bare ??= createFrame(encode(this.data, { event: this.event }), 1);
    return this.#bare;
  }

  get size(): number {
    return OVERHEAD + (this.frame?.length ?? 0);
  }
}
