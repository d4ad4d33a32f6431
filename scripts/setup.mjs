// Installs what a fresh machine lacks. By default: the packages of the whole workspace, with the pinned pnpm.
// With --system: also the programs that the tests run. With --for and the name of an example: only the packages that
// this example needs at run time. Needs nothing but Node and npm.
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
  '/usr/bin/go': 'golang-go',
  '/usr/share/gocode/src/github.com/donovanhide/eventsource': 'golang-github-donovanhide-eventsource-dev',
  '/usr/lib/python3/dist-packages/requests/__init__.py': 'python3-requests',
  '/usr/lib/python3/dist-packages/httpx/__init__.py': 'python3-httpx',
  '/usr/lib/python3/dist-packages/aiohttp/__init__.py': 'python3-aiohttp',
  '/usr/share/perl5/Mojolicious.pm': 'libmojolicious-perl',
  '/usr/bin/ruby': 'ruby',
  '/usr/bin/php': 'php-cli',
  '/usr/bin/javac': 'openjdk-17-jdk-headless',
};

const { values } = parseArgs({ options: { system: { type: 'boolean' }, for: { type: 'string' } } });
const status = await installPackages(values.for);
if (status !== 0) process.exit(status);
if (values.system) await installPrograms();

function installPackages(example) {
  // Without --prefer-offline, npx waits a minute for the registry where there is no network, though it needs nothing.
  const args = ['--yes', '--prefer-offline', packageManager, 'install', '--frozen-lockfile'];
  if (example === undefined) {
    say(`installing packages with ${packageManager}; a first time takes about a minute`);
  } else if (existsSync(`${root}node_modules/.bin/tsc`)) {
    // A full install is here. With --prod, pnpm would remove the tools from it.
    say(`updating the packages of ${example} with ${packageManager}`);
    args.push('--trust-lockfile', '--fail-if-no-match', '--filter', `${example}...`);
  } else {
    say(`installing the packages of ${example} with ${packageManager}; a first time takes about ten seconds`);
    // CI verifies the lock file. Here that would ask the registry about each of its packages, needed or not.
    args.push('--prod', '--trust-lockfile', '--fail-if-no-match', '--filter-prod', `${example}...`);
  }
  return run('npx', args, { cwd: root });
}

async function installPrograms() {
  if (listMissing().length === 0) return;
  if (!existsSync('/usr/bin/apt-get') || process.getuid?.() !== 0) {
    sayMissing('only root can install with apt-get');
    return;
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  say('looking for the programs that the tests need');
  await run('apt-get', ['update', '-qq'], { env });
  // apt-get installs nothing if it does not know one of its packages.
  const packages = listMissing()
    .map(path => programs[path])
    .filter(isKnown);
  if (packages.length > 0) {
    say(`installing ${packages.length} of them with apt-get; all of them take one to four minutes:`);
    console.log(`  ${packages.join(' ')}`);
    await run('apt-get', ['install', '-qq', '-y', '--no-install-recommends', ...packages], { env });
  }
  if (listMissing().length > 0) sayMissing('apt-get has not installed all of them');
}

/** Paths of programs. */
function listMissing() {
  return Object.keys(programs).filter(path => !existsSync(path));
}

/** Whether apt-get has a package of this name that can be installed. */
function isKnown(name) {
  const { stdout } = spawnSync('apt-cache', ['policy', name], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  return /Candidate: (?!\(none\))/.test(stdout);
}

function sayMissing(reason) {
  say(`${reason}; the tests that need these programs are skipped:`);
  for (const path of listMissing()) console.log(`  ${path} (package ${programs[path]})`);
}

function say(text) {
  console.log(`setup: ${text}`);
}
