import { checkType, invalid, isWhole } from './base/option-checks.ts';
import { checkNames, optionNames } from './base/option-names.ts';
import type { Hub } from './hub/hub.ts';

/**
 * A server that can stop listening: of `node:http`, `node:http2` or @hono/node-server, or an application of Fastify.
 */
export interface ClosableServer {
  close(callback: () => void): unknown;
}

/** The options of {@link gracefulShutdown}. */
export interface ShutdownOptions {
  /** The signals that shut the process down. Default: `['SIGINT', 'SIGTERM']`. */
  signals?: readonly NodeJS.Signals[] | undefined;
  /**
   * ms after which the process exits in any case, counted from the end of `before`. Three quarters of this time are for
   * streams, the rest for other requests. Default: 10,000.
   */
  within?: number | undefined;
  /** Each client receives a random reconnection time between these two, in ms. Default: [1_000, 15_000]. */
  retry?: readonly [min: number, max: number] | undefined;
  /**
   * Called first, while the server still listens, and awaited. Use it to stop code that publishes outside of
   * `channel.from()`. If it fails, the error is printed, and the shutdown continues. Default: none.
   */
  before?: (() => unknown) | undefined;
}

const SHUTDOWN_OPTIONS = optionNames<ShutdownOptions>({
  signals: true,
  within: true,
  retry: true,
  before: true,
});

/**
 * Shuts the process down gracefully when it receives a signal:
 *
 * - It calls `before`, and stops listening.
 * - It cancels the sources of `channel.from()`, and waits until their last events and the ends of their channels are
 *   stored.
 * - It sends all streams the published events and a reconnection time, and ends them.
 * - It waits for other requests, and exits with the status 0.
 *
 * Further signals have no effect: under npm, a Ctrl-C arrives from the terminal and from npm.
 *
 * @returns a function that shuts the process down without a signal. Idempotent.
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function gracefulShutdown(
  server: ClosableServer,
  hub: Pick<Hub, 'close'>,
  options: ShutdownOptions = {},
): () => Promise<void> {
  checkType('options', 'object', options);
  checkNames(options, SHUTDOWN_OPTIONS);
  const { signals = ['SIGINT', 'SIGTERM'], within = 10_000, retry = [1_000, 15_000], before } = options;
  if (!Array.isArray(signals)) throw invalid('signals', 'an array of names', signals);
  if (!isWhole(within)) throw invalid('within', 'an integer of ms', within);
  checkType('before', 'function', before);

  async function run(): Promise<void> {
    try {
      await before?.();
    } catch (error) {
      console.error('tidings: gracefulShutdown: before failed:', error);
    }
    const deadline = new Promise(resolve => setTimeout(resolve, within));
    // `hub.close()` follows in the same tick: a Fastify application also closes the hub, and the first call sets the
    // options.
    const answered = new Promise<void>(resolve => {
      server.close(() => resolve());
    });
    const drained = hub.close({ within: Math.floor(within * 0.75), retry });
    await Promise.race([deadline, Promise.all([answered, drained])]);
    process.exit(0);
  }

  let running: Promise<void> | undefined;
  const shutDown = () => {
    running ??= run();
    return running;
  };
  for (const signal of signals) process.on(signal, shutDown);
  return shutDown;
}
