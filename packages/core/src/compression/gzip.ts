/** ID1, ID2, CM = deflate, no flags, no time, no extra flags, an unknown system (RFC 1952, section 2.3). */
export const GZIP_HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255);

/** Maximum bytes of one stored block (RFC 1951, section 3.2.4). */
const LARGEST_BLOCK = 0xffff;

/** Encodes bytes as stored (uncompressed) blocks, which do not refer to earlier output. */
export function storedBlocks(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += LARGEST_BLOCK) {
    const block = bytes.subarray(start, start + LARGEST_BLOCK);
    const low = block.length & 0xff;
    const high = block.length >>> 8;
    parts.push(Uint8Array.of(0, low, high, ~low, ~high), block);
  }
  return parts;
}

/** An empty last block, then the CRC-32 and the length of the uncompressed body. */
export function gzipTrailer(crc: number, length: number): Uint8Array {
  const trailer = new Uint8Array(10);
  // BFINAL, fixed Huffman codes and the end of the block take ten bits.
  trailer[0] = 3;
  const view = new DataView(trailer.buffer);
  view.setInt32(2, crc, true);
  view.setInt32(6, length, true);
  return trailer;
}
