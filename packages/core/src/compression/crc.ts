/** The polynomial of CRC-32 (RFC 1952, section 8), with its bits reversed: the highest bit is x^0. */
const POLYNOMIAL = 0xedb88320;
const ONE = 1 << 31;

/** Multiplies two polynomials modulo the polynomial of the CRC. */
function multiply(one: number, other: number): number {
  let product = 0;
  let shifted = other;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((one & bit) !== 0) product ^= shifted;
    shifted = timesX(shifted);
  }
  return product;
}

function timesX(polynomial: number): number {
  return (polynomial & 1) !== 0 ? (polynomial >>> 1) ^ POLYNOMIAL : polynomial >>> 1;
}

/** x^(2^n) for n = 3 (one byte), 4, 5, … */
const powers: number[] = [multiply(ONE >>> 4, ONE >>> 4)];

/** The factor by which a CRC is multiplied when `bytes` more bytes follow. */
function shiftOf(bytes: number): number {
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

const NIBBLE = 16;

/**
 * {@link shiftOf} multiplied by each value of each four bits of a CRC. The table is computed once for bytes that many
 * streams receive.
 */
export function createCrcShift(bytes: number): Int32Array {
  const table = new Int32Array((32 / 4) * NIBBLE);
  let shifted = shiftOf(bytes);
  for (let bit = 31; bit >= 0; bit--) {
    table[(bit >>> 2) * NIBBLE + (1 << (bit & 3))] = shifted;
    shifted = timesX(shifted);
  }
  for (let index = 0; index < table.length; index++) {
    const value = index % NIBBLE;
    const rest = value & (value - 1);
    if (rest !== 0) {
      table[index] = (table[index - value + rest] as number) ^ (table[index - rest] as number);
    }
  }
  return table;
}

/**
 * The CRC of bytes followed by other bytes, like zlib's `crc32_combine_op`.
 *
 * @param shift {@link createCrcShift} of the bytes that follow.
 */
export function combineCrc(first: number, following: number, shift: Int32Array): number {
  let combined = following;
  let rest = first;
  for (let offset = 0; offset < shift.length; offset += NIBBLE) {
    combined ^= shift[offset + (rest & (NIBBLE - 1))] as number;
    rest >>>= 4;
  }
  return combined;
}
