import { build } from 'esbuild';
import { root } from './snippets.ts';

/** The files of @tidings/client for a page without a bundler, by their paths: `/client.js`, which imports another. */
export async function clientFiles(): Promise<Map<string, string>> {
  const { outputFiles } = await build({
    entryPoints: { client: `${root}packages/client/src/index.ts` },
    outdir: '/',
    bundle: true,
    splitting: true,
    format: 'esm',
    write: false,
  });
  return new Map(outputFiles.map(({ path, text }) => [path, text]));
}
