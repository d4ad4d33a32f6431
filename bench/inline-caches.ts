// Prints the property accesses of Tidings that V8 could not specialize while events were delivered: those that have seen
// several shapes (polymorphic), or more than four (megamorphic). Reads the log of `--log-ic`.
// Run: npx tsx bench/inline-caches.ts [--server tidings-node] [--streams 1000] [--all]
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readInlineCaches, type Site } from './ic-log.ts';
import { withClient } from './measurement.ts';
import { pathOf } from './program.ts';
import { Server } from './server.ts';

/** ms. */
const WARM_UP = 2_000;
const RUN = 3_000;

const { values } = parseArgs({
  options: {
    /** A file of `servers/`. */
    server: { type: 'string', default: 'tidings-node' },
    streams: { type: 'string', default: '1000' },
    /** Also sites of Node.js and of frameworks. */
    all: { type: 'boolean', default: false },
  },
});

for (const name of ['core', 'express', 'fastify', 'hono', 'koa', 'native']) {
  const build = ['run', '--silent', 'build', '--', '--no-dts', '--sourcemap'];
  execFileSync('npm', build, { cwd: pathOf(`../packages/${name}`), stdio: ['ignore', 'ignore', 'inherit'] });
}

const folder = mkdtempSync(join(tmpdir(), 'tidings-ic-'));
try {
  // The thread that resolves packages has a log of its own.
  const flags = ['--log-ic', '--log-code', '--logfile-per-isolate', `--logfile=${join(folder, 'v8.log')}`];
  const started = performance.now();
  const server = await Server.onNode(values.server, undefined, flags);
  let warmAt = 0;
  await withClient(async client => {
    await client.open(server, Number(values.streams));
    for (const events of [1, 10]) await client.run(server, { events, ms: WARM_UP });
    warmAt = (performance.now() - started) * 1_000;
    for (const events of [1, 10]) await client.run(server, { events, ms: RUN });
  });
  await server.exit();
  const sites = readdirSync(folder)
    .flatMap(name => readInlineCaches(join(folder, name), warmAt))
    .filter(({ place }) => values.all || /\/packages\/\w+\/src\//.test(place));
  print(sites);
} finally {
  rmSync(folder, { recursive: true });
}

function print(sites: readonly Site[]): void {
  const shown = sites
    .filter(({ state }) => state !== 'monomorphic')
    .sort((one, other) => other.missesWhenWarm - one.missesWhenWarm || other.misses - one.misses);
  console.log(`${sites.length} sites, of which ${shown.length} are not monomorphic`);
  console.log(
    '\n| site | access | state | shapes | misses | misses when warm |\n|---|---|---|---:|---:|---:|',
  );
  for (const { place, access, state, shapes, misses, missesWhenWarm } of shown) {
    const at = place.replace(pathOf('..'), '');
    console.log(`| ${at} | ${access} | ${state} | ${shapes} | ${misses} | ${missesWhenWarm} |`);
  }
}
