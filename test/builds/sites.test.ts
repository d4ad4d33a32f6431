// What the page about frameworks shows in files: each is built, if its framework does that, and served.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import { PACKED } from '../support/packed.ts';
import { type Program, startProgram } from '../support/program.ts';
import { deliversAndResumes } from '../support/resumes.ts';
import { freePort } from '../support/server.ts';
import { root, snippet } from '../support/snippets.ts';

let program: Program | undefined;
afterEach(() => program?.stop());

const shown = (page: string, path: string) => snippet(`docs/${page}.md`, `site ${path}`);

/** All that the page about SvelteKit shows. */
const SVELTEKIT = [
  'src/hub.ts',
  'src/hooks.server.ts',
  'src/routes/events/+server.ts',
  'src/routes/messages/+server.ts',
];

/** Among the packages as they are packed. */
function createSite(files: Record<string, string>): string {
  const folder = mkdtempSync(join(PACKED, 'site-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

it('SvelteKit, with adapter-node: delivers, resumes, and ends with the process', async () => {
  const folder = createSite({
    'package.json': '{ "type": "module" }',
    'vite.config.js':
      "import { sveltekit } from '@sveltejs/kit/vite';\nexport default { plugins: [sveltekit()] };",
    'svelte.config.js':
      "import adapter from '@sveltejs/adapter-node';\nexport default { kit: { adapter: adapter() } };",
    'src/app.html': '%sveltekit.head% %sveltekit.body%',
    ...Object.fromEntries(SVELTEKIT.map(path => [path, shown('sveltekit', path)])),
  });
  await promisify(execFile)(process.execPath, [join(root, 'test/node_modules/vite/bin/vite.js'), 'build'], {
    cwd: folder,
  });
  const port = await freePort();
  program = startProgram(folder, port, ['build/index.js'], { HOST: '127.0.0.1', PORT: String(port) });
  const client = await deliversAndResumes(program, '/events');
  program.signal('SIGTERM');
  expect(await client.ended).toBe(true);
  expect(await program.exited).toBe(0);
});

it('React Router, with its request handler: delivers and resumes', async () => {
  const port = await freePort();
  const folder = createSite({
    'hub.ts': shown('frameworks', 'src/hub.ts'),
    'app/routes/events.ts': shown('frameworks', 'src/app/routes/events.ts'),
    'server.ts': `
import { serve } from '@hono/node-server';
import { createRequestHandler, type ServerBuild } from 'react-router';
import * as events from './app/routes/events.ts';
import { hub } from './hub.ts';
const action = async ({ request }: { request: Request }) =>
  new Response(await hub.publish('messages', Object.fromEntries(new URL(request.url).searchParams)));
const route = (path: string, module: object) => ({ id: path, path, module });
// What its compiler writes.
const build = {
  entry: { module: { default: () => new Response() } },
  routes: { events: route('events', events), messages: route('messages', { action }) },
  assets: { entry: { imports: [], module: '' }, routes: {}, url: '', version: '' },
  publicPath: '/', assetsBuildDirectory: '', future: {}, ssr: true, isSpaMode: false, prerender: [],
  routeDiscovery: { mode: 'initial' },
} as unknown as ServerBuild;
const handler = createRequestHandler(build, 'production');
serve({ fetch: request => handler(request), port: ${port}, hostname: '127.0.0.1' });`,
  });
  program = startProgram(folder, port, ['--import', 'tsx', 'server.ts']);
  await deliversAndResumes(program, '/events');
});
