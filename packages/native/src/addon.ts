import { createRequire } from 'node:module';

/** What the addon exports; see fan-out.c. */
export interface Addon {
  /**
   * Sends a chunk to each of the first `count` descriptors, and replaces each by the number of bytes that it took: 0 if
   * its socket takes none now, or has failed.
   */
  send(descriptors: Int32Array, count: number, chunk: Uint8Array): void;
}

/** The platforms that a binary may be for: npm installs the one that fits. */
function platforms(platform: string, arch: string): string[] {
  return platform === 'linux' ? [`linux-${arch}-gnu`, `linux-${arch}-musl`] : [`${platform}-${arch}`];
}

/**
 * Loads the addon: that of the optional package for this platform, or the one that was built in this repository.
 *
 * @throws an error with the reasons as its `cause` if there is none, or it cannot be loaded.
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
