// Installs what a fresh machine lacks. By default: the packages of the whole workspace, with the pinned pnpm.
// With --system: also the programs that the tests run. With --for and the name of an example, once or more: only the
// packages that these examples need at run time. Needs nothing but Node and npm.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { run } from './run.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { packageManager } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

/** Programs and their libraries, and the Debian packages they come in. */
const programs = {
  '/usr/bin/chromium': 'chromium',
  '/usr/bin/chromium-headless-shell': 'chromium-headless-shell',
  '/usr/bin/firefox-esr': 'firefox-esr',
  '/usr/bin/WebKitWebDriver': 'webkit2gtk-driver',
  '/usr/bin/xvfb-run': 'xvfb',
  '/usr/bin/xauth': 'xauth',
  '/usr/bin/redis-server': 'redis-server',
  '/usr/sbin/nginx': 'nginx-light',
  '/usr/sbin/haproxy': 'haproxy',
  '/usr/sbin/apache2': 'apache2-bin',
  '/usr/bin/caddy': 'caddy',
  '/usr/sbin/varnishd': 'varnish',
  '/usr/sbin/nghttpx': 'nghttp2-proxy',
  '/usr/sbin/lighttpd': 'lighttpd',
  '/usr/sbin/ip': 'iproute2',
  '/usr/sbin/nft': 'nftables',
  '/usr/bin/curl': 'curl',
  '/usr/bin/promtool': 'prometheus',
  '/usr/bin/go': 'golang-go',
  '/usr/share/gocode/src/github.com/donovanhide/eventsource': 'golang-github-donovanhide-eventsource-dev',
  '/usr/lib/python3/dist-packages/requests/__init__.py': 'python3-requests',
  '/usr/lib/python3/dist-packages/httpx/__init__.py': 'python3-httpx',
  '/usr/lib/python3/dist-packages/aiohttp/__init__.py': 'python3-aiohttp',
  '/usr/share/perl5/Mojolicious.pm': 'libmojolicious-perl',
  '/usr/bin/ruby': 'ruby',
  '/usr/bin/php': 'php-cli',
  '/usr/bin/javac': 'default-jdk-headless',
  // They build the addon of packages/native.
  '/usr/bin/cc': 'gcc',
  '/usr/include/errno.h': 'libc6-dev',
};

const { values } = parseArgs({
  options: { system: { type: 'boolean' }, for: { type: 'string', multiple: true } },
});
await installPackages(values.for);
if (values.system) await installPrograms();
// Where there is a compiler.
if (values.for === undefined) await run('node', ['packages/native/scripts/build.mjs']);

async function installPackages(examples) {
  // Without --prefer-offline, npx waits a minute for the registry where there is no network, though it needs nothing.
  const args = ['--yes', '--prefer-offline', packageManager, 'install', '--frozen-lockfile'];
  if (examples === undefined) {
    say(`installing packages with ${packageManager}; a first time takes about a minute`);
  } else if (existsSync(`${root}node_modules/.bin/tsc`)) {
    // A full install is here. With --prod, pnpm would remove the tools from it.
    say(`updating the packages of ${examples.join(' and ')} with ${packageManager}`);
    args.push(
      '--trust-lockfile',
      '--fail-if-no-match',
      ...examples.flatMap(name => ['--filter', `${name}...`]),
    );
  } else {
    const names = examples.join(' and ');
    say(`installing the packages of ${names} with ${packageManager}; a first time takes about ten seconds`);
    // CI verifies the lock file. Here that would ask the registry about each of its packages, needed or not.
    args.push('--prod', '--trust-lockfile', '--fail-if-no-match');
    args.push(...examples.flatMap(name => ['--filter-prod', `${name}...`]));
  }
  await run('npx', args);
}

async function installPrograms() {
  const missing = Object.keys(programs).filter(path => !existsSync(path));
  if (missing.length === 0) return;
  if (!existsSync('/usr/bin/apt-get') || process.getuid?.() !== 0) {
    list('only root can install with apt-get', missing);
    return;
  }
  say(
    `installing ${missing.length} programs for the tests with apt-get; all of them take one to four minutes:`,
  );
  console.log(`  ${missing.map(path => programs[path]).join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '-qq'], { env });
  // One package that this release of Debian lacks would stop the installation of all.
  const known = knownPackages(missing.map(path => programs[path]));
  const unknown = missing.filter(path => !known.includes(programs[path]));
  if (unknown.length > 0) list('this system has no such packages', unknown);
  if (known.length > 0)
    await run('apt-get', ['install', '-qq', '-y', '--no-install-recommends', ...known], { env });
}

function knownPackages(packages) {
  const { stdout } = spawnSync('apt-cache', ['show', '--no-all-versions', ...packages], { encoding: 'utf8' });
  const known = new Set(Array.from(stdout.matchAll(/^Package: (.+)$/gm), ([, name]) => name));
  return packages.filter(name => known.has(name));
}

function list(reason, paths) {
  say(`${reason}; the tests that need these programs are skipped:`);
  for (const path of paths) console.log(`  ${path} (package ${programs[path]})`);
}

function say(text) {
  console.log(`setup: ${text}`);
}
