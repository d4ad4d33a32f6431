// Installs what a fresh machine lacks: the packages, by the pinned pnpm, and with --system the programs that the
// tests drive. With --for and the name of an example, what that needs will do: others bring whole runtimes. Needs
// nothing but Node and npm.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

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
const filter = values.for === undefined ? [] : ['--filter', `${values.for}...`];
run('npx', ['--yes', packageManager, 'install', '--frozen-lockfile', '--reporter=append-only', ...filter]);
if (values.system) installPrograms();

function installPrograms() {
  const missing = Object.keys(programs).filter(path => !existsSync(path));
  if (missing.length === 0) return;
  const packages = missing.map(path => programs[path]);
  if (!existsSync('/usr/bin/apt-get') || process.getuid?.() !== 0) {
    console.log(
      `setup: the tests that need ${missing.join(', ')} will be skipped; install: ${packages.join(' ')}`,
    );
    return;
  }
  console.log(`setup: installing with apt-get, for the tests: ${packages.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['update', '-qq'], { env });
  run('apt-get', ['install', '-qq', '-y', '--no-install-recommends', ...packages], { env });
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    ...options,
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
