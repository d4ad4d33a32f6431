import { encode } from '../protocol/event.ts';
import { formatId, type Position } from '../protocol/event-id.ts';
import { createFrame, type Frame } from '../protocol/frame.ts';

/** What a channel's log is made of. */
export interface Entry {
  readonly channel: string;
  readonly position: Position;
  /** `event`; `gone`: an event that removes its key; `end`: nothing follows in this channel. */
  readonly kind: 'event' | 'gone' | 'end';
  readonly event?: string | undefined;
  /** For compaction: what the event is the newest of. */
  readonly key?: string | undefined;
  /** The id of a stream, or a client, that is not to get it. */
  readonly except?: string | undefined;
  /** As it goes on the wire. */
  readonly data: string;
}

/** Bytes that an entry takes beside its frame, about. */
const OVERHEAD = 256;

/** An entry, encoded once. */
export class LogEntry {
  readonly position: Position;
  readonly isEnd: boolean;
  readonly isGone: boolean;
  readonly event: string | undefined;
  /** What it is the newest of: its own key, else its name. */
  readonly key: string;
  readonly except: string | undefined;
  readonly data: string;
  /** With its id; an end has nothing to send. */
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
    this.isGone = kind === 'gone';
    this.event = event;
    this.key = key ?? event ?? '';
    this.except = except;
    this.data = data;
    this.at = at;
    this.frame = this.isEnd
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
