import { checkType, invalid, isObject, readDuration } from '../base/option-checks.ts';
import { checkNames, optionNames } from '../base/option-names.ts';
import { type Comment, emptyComment } from '../protocol/comment.ts';
import { fieldText } from '../protocol/event.ts';
import type { Frame } from '../protocol/frame.ts';
import { createMarker } from '../protocol/marker.ts';
import type { ResponseKind } from './response/response-kind.ts';

/** The heartbeat of a stream, which is sent when the stream is idle. */
export interface HeartbeatOptions {
  /** ms without a byte before a heartbeat is sent. Default: 15,000 (8,000 on Bun). */
  interval?: number | undefined;
  /**
   * The name of an event with empty data. Pages can listen for it; browsers do not expose comments to a page. If the
   * position has advanced, the event has its id. Responses to requests other than GET always have comments. Default:
   * none, an SSE comment.
   */
  event?: string | undefined;
}

/** The heartbeats of one hub. The frame is shared by all streams. */
export class Heartbeat {
  /** ms. Infinity: none. */
  readonly interval: number;
  readonly event: string | undefined;
  readonly #frame: Frame | undefined;

  constructor(interval: number, event?: string) {
    this.interval = interval;
    this.event = event;
    this.#frame = event === undefined ? undefined : createMarker(undefined, { event });
  }

  /**
   * The name of the event for a kind of response. Undefined for a POST: clients of POST requests can read comments, and
   * some of them parse every event.
   */
  eventFor({ hasMarkers, isGet }: ResponseKind): string | undefined {
    return hasMarkers && isGet ? this.event : undefined;
  }

  /** The frame or comment of a heartbeat without an id. */
  contentFor(kind: ResponseKind): Frame | Comment {
    return (this.eventFor(kind) === undefined ? undefined : this.#frame) ?? emptyComment;
  }
}

/** Bun's server closes a response that is silent for 10 s. */
const INTERVAL = 'Bun' in globalThis ? 8_000 : 15_000;

const HEARTBEAT_OPTIONS = optionNames<HeartbeatOptions>({
  interval: true,
  event: true,
});

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readHeartbeat(heartbeat: number | false | HeartbeatOptions | undefined): Heartbeat {
  if (!isObject(heartbeat)) return new Heartbeat(readDuration('heartbeat', heartbeat, INTERVAL));
  const { interval, event } = heartbeat as HeartbeatOptions;
  checkNames(heartbeat, HEARTBEAT_OPTIONS, 'heartbeat.');
  checkType('heartbeat.event', 'string', event);
  if (event === '') throw invalid('heartbeat.event', 'a string of at least one character', event);
  const name = event === undefined ? undefined : fieldText('heartbeat.event', event, 'invalid-option');
  return new Heartbeat(readDuration('heartbeat.interval', interval, INTERVAL), name);
}
