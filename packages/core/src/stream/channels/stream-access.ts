import { TidingsError } from '../../base/errors.ts';
import { show } from '../../base/option-checks.ts';
import type { AccessPhase, AccessTarget } from '../../delivery/subscriptions/channel-access.ts';
import { encode } from '../../protocol/event.ts';
import { createFrame } from '../../protocol/frame.ts';
import type { EventStream } from '../event-stream.ts';
import type { EndOptions } from '../response/closing.ts';
import type { StreamResponse } from '../response/response.ts';
import { FINISHED_ID } from '../response/response-head.ts';

/** Decides which channels a stream may follow. */
export interface StreamGuard {
  /** The name of the event that lists the channels that the client may no longer follow. */
  readonly revokedEvent: string;
  /** Asks the application, and calls `answer` in the same tick or later. A failure is answered with false. */
  ask(stream: EventStream, channel: string, phase: AccessPhase, answer: (isAllowed: boolean) => void): void;
  /** Called when a channel to which a stream has subscribed was refused. */
  refused(error: TidingsError, stream: EventStream, channel: string): void;
}

/** A stream whose channels a {@link StreamGuard} checks. */
export interface GuardedStream extends EventStream {
  readonly isOpen: boolean;
  /** The application has called `send()` or `stream()`. */
  readonly hasSent: boolean;
  end(reason: 'ended', options: EndOptions): void;
}

/** Applies the decisions of a {@link StreamGuard} to the response of one stream. */
export class StreamAccess implements AccessTarget {
  readonly #guard: StreamGuard;
  readonly #stream: GuardedStream;
  readonly #response: StreamResponse;

  constructor(guard: StreamGuard, stream: GuardedStream, response: StreamResponse) {
    this.#guard = guard;
    this.#stream = stream;
    this.#response = response;
  }

  get hasReceivedEnd(): boolean {
    return this.#response.writer.head?.isFinished === true && !this.#stream.hasSent;
  }

  ask(channel: string, phase: AccessPhase, answer: (isAllowed: boolean) => void): void {
    this.#guard.ask(this.#stream, channel, phase, answer);
  }

  refused(channel: string): void {
    const error = new TidingsError('not-authorized', `authorize refused the channel ${show(channel)}`);
    this.#guard.refused(error, this.#stream, channel);
  }

  withdrawn(channels: readonly string[], isLast: boolean): void {
    const { delivery, kind } = this.#response;
    if (!this.#stream.isOpen || delivery === undefined) return;
    const { revokedEvent } = this.#guard;
    if (kind.hasMarkers) delivery.send(createFrame(encode({ channels }, { event: revokedEvent }), 1));
    if (isLast && !this.#stream.hasSent) this.#stream.end('ended', kind.isGet ? { id: FINISHED_ID } : {});
  }
}
