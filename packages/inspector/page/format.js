// @ts-check
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** @param {number} value */
export const number = value => whole.format(value);

/** @param {number} value */
export const decimal = value => (value >= 100 ? whole : one).format(value);

/** @param {number} time ms since 1970 */
export const time = time => clock.format(time);

/** @param {number} count */
export function bytes(count) {
  let unit = 0;
  while (count >= 1_000 && unit < 4) {
    count /= 1_024;
    unit += 1;
  }
  return `${(unit === 0 ? whole : one).format(count)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit]}`;
}

/** @param {number} ms */
export function duration(ms) {
  const seconds = ms / 1_000;
  if (ms < 1_000) return `${(ms < 10 ? one : whole).format(ms)} ms`;
  if (seconds < 60) return `${one.format(seconds)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3_600)} h`;
}

/**
 * Data of an event for people: JSON is indented, everything else is as it came.
 *
 * @param {unknown} data
 */
export function pretty(data) {
  return typeof data === 'string' ? data : JSON.stringify(data, undefined, 2);
}
