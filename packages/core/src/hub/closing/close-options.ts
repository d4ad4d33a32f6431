import { checkType, invalid, isWhole } from '../../base/option-checks.ts';
import { checkNames, optionNames } from '../../base/option-names.ts';

/** The options of `hub.close()`. */
export interface CloseOptions {
  /** ms after which streams that have not ended are aborted. Default: 10,000. */
  within?: number | undefined;
  /** Each client receives a random reconnection time between these two, in ms. Default: [1_000, 15_000]. */
  retry?: readonly [min: number, max: number] | undefined;
}

/** {@link CloseOptions} with every default filled in. */
export interface CloseSettings {
  within: number;
  retry: readonly [min: number, max: number];
}

/** Maximum ms of a timer. With more, `setTimeout` runs its callback immediately. */
export const LONGEST_TIMER = 2 ** 31 - 1;

const CLOSE_OPTIONS = optionNames<CloseOptions>({
  within: true,
  retry: true,
});

/** @throws {TidingsError} `invalid-option`, naming the option. */
export function readCloseOptions(options: CloseOptions): CloseSettings {
  checkType('options', 'object', options);
  checkNames(options, CLOSE_OPTIONS);
  const { within = 10_000, retry = [1_000, 15_000] } = options;
  if (!(isWhole(within) && within <= LONGEST_TIMER))
    throw invalid('within', 'an integer of ms, at most 2 ** 31 - 1', within);
  if (!Array.isArray(retry) || !isWhole(retry[0]) || !isWhole(retry[1]) || retry[0] > retry[1]) {
    throw invalid('retry', 'two integers of ms, the smaller first', retry);
  }
  return { within, retry };
}
