/** The waits between failed attempts. */
export interface RetryOptions {
  /**
   * The longest first wait, in ms. It doubles with every further failure. A `retry` of the server replaces it. Default:
   * 1,000.
   */
  initial?: number | undefined;
  /** The longest wait, in ms. Default: 30,000. */
  max?: number | undefined;
  /** The random part of a wait, 0 to 1. Default: 1 ("full jitter"), a wait between 0 and the longest. */
  jitter?: number | undefined;
}

/**
 * Returns the ms to wait before the next attempt.
 *
 * @param failures number of consecutive failures.
 * @param retry the reconnection time from the server, in ms.
 */
export function backoff(
  { initial = 1_000, max = 30_000, jitter = 1 }: RetryOptions = {},
  failures = 0,
  retry = initial,
): number {
  return Math.min(Math.max(max, retry), retry * 2 ** failures) * (1 - jitter * Math.random());
}
