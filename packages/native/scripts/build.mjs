// Builds the addon for this platform, with `cc`, into packages/native/npm/<platform>. Where it is up to date, or there is
// no compiler, it does nothing. Arguments go to the compiler: `-fsanitize=address`.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { currentPlatform, npmFolder, writeManifest } from './platforms.mjs';

const source = fileURLToPath(new URL('../src/fan-out.c', import.meta.url));
const flags = process.argv.slice(2);
const platform = currentPlatform();

if (platform === undefined) console.log(`native: there is no addon for ${process.platform}`);
else if (spawnSync('cc', ['--version']).error !== undefined) {
  console.log('native: there is no compiler (cc), so the addon is not built, and its tests are skipped');
} else build(`${npmFolder}${platform}/`);

function build(folder) {
  const file = `${folder}fan-out.node`;
  const isCurrent = existsSync(file) && statSync(file).mtimeMs > statSync(source).mtimeMs;
  if (isCurrent && flags.length === 0) return;
  const { include_dir: headers } = createRequire(import.meta.url)('node-api-headers');
  mkdirSync(folder, { recursive: true });
  // Another process may load it, or build it, at the same time.
  const built = `${file}.${process.pid}`;
  const linking = process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared'];
  execFileSync(
    'cc',
    [
      ...['-std=c11', '-O2', '-fPIC', '-fvisibility=hidden', '-Wall', '-Wextra', '-Werror'],
      ...['-D_GNU_SOURCE', '-DNAPI_VERSION=8', '-isystem', headers],
      ...linking,
      ...flags,
      ...['-o', built, source],
    ],
    { stdio: 'inherit' },
  );
  renameSync(built, file);
  writeManifest(platform);
}
