/** The polynomial of CRC-32 (RFC 1952, section 8), with its bits reversed: the highest bit is x^0. */
const POLYNOMIAL = 0xedb88320;
const ONE = 1 << 31;

/** Multiplies two polynomials modulo that of the CRC. */
function multiply(one: number, other: number): number {
  let product = 0;
  let shifted = other;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((one & bit) !== 0) product ^= shifted;
    shifted = (shifted & 1) !== 0 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
  }
  return product;
}

/** x^(2^n), by n, from that of one byte (n = 3) on. */
const powers: number[] = [multiply(ONE >>> 4, ONE >>> 4)];

/** What a CRC is multiplied with when so many bytes follow. Computed once for bytes that many streams receive. */
export function crcShift(bytes: number): number {
  let shift = ONE;
  let rest = bytes;
  for (let index = 0; rest > 0; index++) {
    const last = powers.at(-1) as number;
    if (index === powers.length) powers.push(multiply(last, last));
    if (rest % 2 === 1) shift = multiply(powers[index] as number, shift);
    rest = Math.floor(rest / 2);
  }
  return shift;
}

/**
 * The CRC of bytes and those that follow, as zlib's `crc32_combine_op`.
 *
 * @param shift {@link crcShift} of the bytes that follow.
 */
export function combineCrc(first: number, following: number, shift: number): number {
  return multiply(shift, first) ^ following;
}
