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
  /** The name of the event that tells a client what was withdrawn. */
  readonly revokedEvent: string;
  /** Asks, and calls back: in the same tick, or later. A failure is a no. */
  ask(stream: EventStream, channel: string, phase: AccessPhase, answer: (isAllowed: boolean) => void): void;
  /** A channel that a stream has subscribed to was refused. */
  refused(error: TidingsError, stream: EventStream, channel: string): void;
}

/** The stream that may not follow every channel. */
export interface GuardedStream extends EventStream {
  readonly isOpen: boolean;
  /** The application has sent events of its own. */
  readonly hasSent: boolean;
  end(reason: 'ended', options: EndOptions): void;
}

/** What it means for the response of one stream that a channel is refused or withdrawn. */
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
