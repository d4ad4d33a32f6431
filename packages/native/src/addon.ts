import { createRequire } from 'node:module';

/** The exports of the addon: see fan-out.c. */
export interface Addon {
  /**
   * Sends a chunk to each of the first `count` descriptors, and replaces each descriptor by the number of bytes that
   * were sent. 0: the buffer of the socket is full, or the socket has failed.
   */
  send(descriptors: Int32Array, count: number, chunk: Uint8Array): void;
}

/** The names of the platforms whose binary may fit. npm has installed the right one. */
function platforms(platform: string, arch: string): string[] {
  return platform === 'linux' ? [`linux-${arch}-gnu`, `linux-${arch}-musl`] : [`${platform}-${arch}`];
}

/**
 * Loads the addon: from the optional package for this platform, or the one that was built in this repository.
 *
 * @throws {Error} there is no addon, or it cannot be loaded. The `cause` has the reasons.
 */
export function loadAddon(names = platforms(process.platform, process.arch)): Addon {
  const load = createRequire(import.meta.url);
  const errors: unknown[] = [];
  for (const name of names) {
    for (const path of [`@tidings/native-${name}`, `../npm/${name}/fan-out.node`]) {
      try {
        return load(path) as Addon;
      } catch (error) {
        errors.push(error);
      }
    }
  }
  throw new Error(
    `it has no binary for ${process.platform}-${process.arch}, or the optional package with it is not installed`,
    { cause: errors },
  );
}
