// Writes packages/client/src/embedded.ts: the client for pages without a bundler, as strings. Workers have no file system.
// `npm run build` runs it. With --check it only fails if the file is not that of the sources.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const client = fileURLToPath(new URL('../packages/client/', import.meta.url));

/** The text of embedded.ts. */
async function embedClient() {
  const { outputFiles } = await build({
    // The names of chunks depend on these paths, and must be the same in every clone.
    absWorkingDir: client,
    entryPoints: { client: 'src/index.ts' },
    outdir: 'embedded',
    bundle: true,
    splitting: true,
    // A page that was loaded before a deploy does not get the second file of another version.
    chunkNames: '[name]-[hash]',
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  });
  const entries = outputFiles.map(({ path, text }) => {
    const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 16)}"`;
    return `  ${JSON.stringify(`/${basename(path)}`)}: [${JSON.stringify(etag)}, ${JSON.stringify(text)}],\n`;
  });
  return `// Written by scripts/embed-client.mjs.
/** Path → ETag and text. */
export const embedded: Record<string, [etag: string, text: string]> = {
${entries.join('')}};
`;
}

const file = `${client}src/embedded.ts`;
const text = await embedClient();
if (readFileSync(file, 'utf8') !== text) {
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else {
    console.error(`${file} is not that of the sources: run node scripts/embed-client.mjs`);
    process.exitCode = 1;
  }
}
