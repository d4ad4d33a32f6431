import { bindContext, createOutside } from '../../base/async-context.ts';
import { isThenable } from '../../base/deferred.ts';
import { TidingsError } from '../../base/errors.ts';
import { show } from '../../base/option-checks.ts';
import type { AccessPhase } from '../../delivery/subscriptions/channel-access.ts';
import type { StreamGuard } from '../../stream/channels/stream-access.ts';
import type { ErrorContext, EventStream } from '../../stream/event-stream.ts';
import { Slices } from './slices.ts';

/** The stream for which `authorize` is called. */
export interface AuthorizeContext<Data = unknown> {
  /** The owner of the stream. */
  readonly client: string | undefined;
  /** As passed in {@link StreamOptions.data}. */
  readonly data: Data;
  /** The id that the client sent. It proves nothing: a client can send any id. */
  readonly lastEventId: string | undefined;
  /** `subscribe`: the stream subscribes to the channel. `recheck`: it already follows the channel. */
  readonly phase: AccessPhase;
}

/** Returns whether a stream may follow a channel. Only `true` allows it. */
export type Authorize<Data = unknown> = (
  channel: string,
  context: AuthorizeContext<Data>,
) => boolean | Promise<boolean>;

/** One call of `authorize` that has settled. */
export interface AuthorizeCall {
  readonly channel: string;
  readonly phase: AccessPhase;
  /** `failed`: it threw, rejected, or did not settle within `authorizeTimeout`, so the channel is refused. */
  readonly outcome: 'allowed' | 'refused' | 'failed';
  /** Duration in ms. */
  readonly ms: number;
}

export interface AuthorizerOptions {
  /** Called in the async context of the constructor. */
  readonly authorize: Authorize;
  /** ms after which a pending call counts as a refusal. */
  readonly timeout: number;
  readonly revokedEvent: string;
  readonly report: (error: unknown, context: ErrorContext) => void;
  readonly onCall: (stream: EventStream, call: AuthorizeCall) => void;
}

/** A call of `authorize` that has not settled. */
interface PendingCall {
  /** Its deadline (ms, monotonic). */
  readonly due: number;
  settle(answer: boolean | Error): void;
}

/**
 * Asks the application which channels a stream may follow. Asynchronous answers are processed in slices, because
 * thousands of promises may resolve in the same tick. All deadlines share one timer.
 */
export class Authorizer implements StreamGuard {
  readonly revokedEvent: string;
  readonly #options: AuthorizerOptions;
  readonly #outside = createOutside();
  readonly #answers = new Slices<() => void>(answer => answer());
  /** In the order of their deadlines. */
  readonly #pending = new Set<PendingCall>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: AuthorizerOptions) {
    this.revokedEvent = options.revokedEvent;
    this.#options = { ...options, authorize: bindContext(options.authorize) };
  }

  ask(stream: EventStream, channel: string, phase: AccessPhase, answer: (isAllowed: boolean) => void): void {
    const { client, data, lastEventId } = stream;
    const start = performance.now();
    const decide = (outcome: AuthorizeCall['outcome'], settledAt = performance.now()) => {
      this.#options.onCall(stream, { channel, phase, outcome, ms: settledAt - start });
      answer(outcome === 'allowed');
    };
    const fail = (error: unknown, settledAt?: number) => {
      this.#options.report(error, { stage: 'authorize', stream, channel });
      decide('failed', settledAt);
    };
    let result: boolean | PromiseLike<boolean>;
    try {
      result = this.#options.authorize(channel, { client, data, lastEventId, phase });
    } catch (error) {
      fail(error);
      return;
    }
    if (!isThenable(result)) {
      decide(result === true ? 'allowed' : 'refused');
      return;
    }
    const call: PendingCall = {
      due: performance.now() + this.#options.timeout,
      settle: given => {
        if (!this.#pending.delete(call)) return;
        const settledAt = performance.now();
        this.#answers.push(() => {
          if (given instanceof Error) fail(given, settledAt);
          else decide(given ? 'allowed' : 'refused', settledAt);
        });
      },
    };
    this.#pending.add(call);
    this.#watch();
    result.then(
      isAllowed => call.settle(isAllowed === true),
      error => call.settle(error instanceof Error ? error : new Error(show(error), { cause: error })),
    );
  }

  refused(error: TidingsError, stream: EventStream, channel: string): void {
    this.#options.report(error, { stage: 'authorize', stream, channel });
  }

  #watch(): void {
    if (this.#timer !== undefined) return;
    this.#outside(() => {
      const [first] = this.#pending;
      if (first === undefined || this.#timer !== undefined) return;
      this.#timer = setTimeout(() => this.#expire(), Math.ceil(first.due - performance.now()));
      // A pending call must not keep the process alive.
      this.#timer.unref?.();
    });
  }

  #expire(): void {
    this.#timer = undefined;
    const now = performance.now();
    const { timeout } = this.#options;
    for (const call of this.#pending) {
      if (call.due > now) break;
      call.settle(new TidingsError('not-authorized', `authorize did not settle within ${timeout} ms`));
    }
    if (this.#pending.size > 0) this.#watch();
  }
}
