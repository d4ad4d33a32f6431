// Packs every package as it would be published, and checks the tarballs: their contents (publint), their types for
// every way to import them (attw), the links in their READMEs, that they work when npm installs them, by `import` and by
// `require`, the types in two layouts of pnpm, and how large the core is.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { brokenLinks } from './links.mjs';
import { checkTypeLayouts } from './type-layouts.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'tidings-packages-'));
const run = (command, args, cwd = root) =>
  execFileSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });

try {
  run('pnpm', [
    '--filter',
    './packages/*',
    '--recursive',
    'exec',
    'pnpm',
    'pack',
    '--pack-destination',
    scratch,
  ]);
  const tarballs = readdirSync(scratch).map(name => join(scratch, name));
  for (const tarball of tarballs) {
    run('publint', ['run', tarball, '--strict']);
    run('attw', [tarball, '--profile', 'node16']);
    checkReadme(tarball);
  }
  tryOut(tarballs);
  checkTypeLayouts(tarballs, scratch, run);
  await measure('@tidings/core', 40 * 1024);
  await measure('@tidings/client', 4 * 1024, {
    shared: 2 * 1024,
    control: 2.5 * 1024,
    'shared-control': 1024,
  });
} finally {
  rmSync(scratch, { recursive: true });
}

function checkReadme(tarball) {
  const text = execFileSync('tar', ['-xzOf', tarball, 'package/README.md'], { encoding: 'utf8' });
  const problems = brokenLinks(text, basename(tarball));
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

function tryOut(tarballs) {
  const exported = {
    '@tidings/core': 'createHub',
    '@tidings/core/node': 'openStream',
    '@tidings/core/fetch': 'streamResponse',
    '@tidings/core/client': 'parse',
    '@tidings/client': 'connect',
    '@tidings/client/files': 'clientFile',
    '@tidings/express': 'sse',
    '@tidings/koa': 'sse',
    '@tidings/hono': 'sse',
    '@tidings/fastify': 'sse',
    '@tidings/redis': 'redisBroker',
    '@tidings/sqlite': 'sqliteBroker',
    '@tidings/inspector': 'inspector',
    '@tidings/inspector/koa': 'inspector',
    '@tidings/inspector/hono': 'inspector',
    '@tidings/inspector/fetch': 'inspector',
    '@tidings/testing': 'connect',
    '@tidings/metrics': 'instrument',
    '@tidings/native': 'native',
  };
  const project = join(scratch, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs], project);
  const check = (load, name) =>
    `if (typeof (${load}).${name} !== 'function') throw new Error(${JSON.stringify(load)});\n`;
  const entries = Object.entries(exported);
  writeFileSync(
    join(project, 'esm.mjs'),
    entries.map(([id, name]) => check(`await import('${id}')`, name)).join(''),
  );
  writeFileSync(
    join(project, 'cjs.cjs'),
    entries.map(([id, name]) => check(`require('${id}')`, name)).join(''),
  );
  run(process.execPath, ['esm.mjs'], project);
  run(process.execPath, ['cjs.cjs'], project);
  // A page has the types of a browser, and none of Node's.
  const pages = ['core', 'client'].map(name => {
    const folder = join(project, `${name}-page`);
    mkdirSync(folder);
    for (const file of ['page.ts', 'channels.ts']) {
      copyFileSync(join(root, 'packages', name, 'test/page', file), join(folder, file));
    }
    return join(folder, 'page.ts');
  });
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    lib: ['es2024', 'dom'],
    types: [],
    module: 'preserve',
    noEmit: true,
    allowImportingTsExtensions: true,
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: pages }));
  run('tsc', ['--project', '.'], project);
}

/**
 * Fails if a package, minified and compressed as for a download, takes more than so many bytes: what is loaded at once,
 * each file that is loaded later, and what they share (256 bytes).
 */
async function measure(name, limit, laterLimits = {}) {
  const { outputFiles } = await build({
    stdin: { contents: `export * from '${name}'`, resolveDir: join(scratch, 'project') },
    bundle: true,
    splitting: true,
    outdir: '/',
    minify: true,
    format: 'esm',
    platform: 'neutral',
    write: false,
  });
  const limits = { stdin: limit, ...laterLimits };
  for (const { path, contents } of outputFiles) {
    const [, file] = /^\/(.+?)(?:-[A-Z0-9]{8})*\.js$/.exec(path);
    const size = gzipSync(contents).length;
    const bound = limits[file] ?? 256;
    const part = file === 'stdin' ? '' : `, ${file}`;
    console.log(`${name}${part}: ${size} of ${bound} bytes, minified and compressed`);
    if (size > bound) process.exitCode = 1;
  }
}
