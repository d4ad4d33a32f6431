import type { ErrorContext } from '../stream/event-stream.ts';

/** ms for which the same error is not printed again. */
const INTERVAL = 60_000;
/** Maximum number of different errors that are stored. */
const MAX_ERRORS = 100;

/**
 * The default `onError`: prints errors to the console. The same error again within a minute is only counted, because
 * the calls of an unreachable broker fail every second.
 */
export function createErrorLog(): (error: unknown, context: ErrorContext) => void {
  const printed = new Map<string, { at: number; repeated: number }>();
  return (error, { stage }) => {
    const key = `${stage} ${describe(error)}`;
    const before = printed.get(key);
    const now = performance.now();
    if (before !== undefined && now - before.at < INTERVAL) {
      before.repeated += 1;
      return;
    }
    printed.delete(key);
    if (printed.size === MAX_ERRORS) printed.delete(printed.keys().next().value as string);
    printed.set(key, { at: now, repeated: 0 });
    const times = before?.repeated ? ` (${before.repeated} more since the last time)` : '';
    console.error(`tidings: ${stage}:${times}`, error);
  };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : ` ${String(error.cause)}`;
  return `${error.name} ${error.message}${cause}`;
}
