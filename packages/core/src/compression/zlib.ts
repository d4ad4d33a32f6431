/** What compression needs of `node:zlib`. */
export interface Zlib {
  readonly constants: { readonly Z_SYNC_FLUSH: number };
  deflateRawSync(
    bytes: Uint8Array,
    options: { finishFlush: number; windowBits: number; dictionary?: Uint8Array | undefined },
  ): Uint8Array;
  /** Continues a CRC-32 over more bytes. */
  crc32(bytes: Uint8Array, start: number): number;
}

/** How the channels of a hub are compressed. */
export interface CompressionSettings {
  readonly zlib: Zlib;
  /** A batch is compressed only if at least this many streams need it. */
  readonly minStreams: number;
}

interface BuiltinModules {
  process?: { getBuiltinModule?(id: string): Partial<Zlib> | undefined };
  WebSocketPair?: unknown;
}

/**
 * Loads `node:zlib`, which the root entry must not import.
 *
 * @returns undefined where it is missing (browsers, Node before 20.16), and on Workers, where the runtime itself
 *   encodes a Response that has a `content-encoding`.
 */
export function loadZlib(): Zlib | undefined {
  if (loaded !== undefined) return loaded;
  const { process, WebSocketPair } = globalThis as BuiltinModules;
  if (WebSocketPair !== undefined) return undefined;
  const zlib = process?.getBuiltinModule?.('node:zlib');
  if (isComplete(zlib)) loaded = zlib;
  return loaded;
}

let loaded: Zlib | undefined;

/** Some runtimes implement only part of `node:zlib`. */
function isComplete(zlib: Partial<Zlib> | undefined): zlib is Zlib {
  return zlib?.deflateRawSync !== undefined && zlib.crc32 !== undefined;
}
