import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import webpack from 'webpack';
import { tarballs, unpack } from '../support/packed.ts';
import { root } from '../support/snippets.ts';

// Adapters import only types of their frameworks, so that a bundle needs none of them.
const names = ['core', 'client', 'express', 'koa', 'hono', 'fastify', 'redis', 'sqlite', 'testing'];
const PROGRAM = `
import { createServer } from 'node:net';
${names.map(name => `import * as ${name} from '@tidings/${name}';`).join('\n')}
import { openStream } from '@tidings/core/node';
import { streamResponse } from '@tidings/core/fetch';
console.log(typeof openStream, typeof streamResponse);
const server = createServer(() => {
  console.log('the client library has connected');
  process.exit();
}).listen(0, '127.0.0.1', () => {
  const url = 'redis://127.0.0.1:' + server.address().port;
  const broker = redis.redisBroker({ url, prefix: 'bundled' });
  core.createHub({ broker, onError: console.log }).publish('news', 1);
});
`;

/** A project outside of this repository, in which only one client library of Redis is installed. */
function createProject(client: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-bundle-'));
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const [name, tarball] of tarballs()) unpack(name, tarball, modules);
  // @tidings/testing depends on a parser.
  for (const name of [client, 'eventsource-parser']) {
    symlinkSync(join(root, 'test/node_modules', name), join(modules, name));
  }
  writeFileSync(join(folder, 'program.mjs'), PROGRAM);
  return folder;
}

const bundlers: Record<string, (folder: string, outfile: string) => Promise<unknown>> = {
  esbuild: (folder, outfile) =>
    build({
      entryPoints: [join(folder, 'program.mjs')],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      logLevel: 'silent',
    }),
  webpack: (folder, outfile) =>
    new Promise<void>((resolve, reject) => {
      const compiler = webpack({
        mode: 'none',
        target: 'node20',
        context: folder,
        entry: './program.mjs',
        output: { path: folder, filename: outfile.slice(folder.length + 1) },
      });
      compiler?.run((error, stats) => {
        const failure = error ?? (stats?.hasErrors() ? new Error(stats.toString('errors-only')) : undefined);
        compiler.close(() => (failure ? reject(failure) : resolve()));
      });
    }),
};

describe.each(['redis', 'ioredis'])('with only %s installed', client => {
  const folder = createProject(client);
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(Object.entries(bundlers))('all packages are bundled by %s, and run', async (name, bundle) => {
    const outfile = join(folder, `${name}.cjs`);
    await bundle(folder, outfile);
    const output = execFileSync(process.execPath, [outfile], { encoding: 'utf8', cwd: folder });
    expect(output).toBe('function function\nthe client library has connected\n');
  });
});
