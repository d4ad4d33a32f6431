import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type Child, startBy } from '../support/child.ts';
import type { ServerOptions } from './network-server.ts';

/** Two hosts with nothing between them but a cable; nothing else is reached from there, nor reaches it. */
export interface Network {
  server: Host;
  client: Host;
  /** Ends both; with them goes the network. */
  remove(): void;
}

interface Host extends Child {
  /** Runs a line of shell there, and gives what it prints. */
  run(line: string): string;
}

/** The network interface of each host. */
export const CABLE = 'cable';

/** Programs that a network is made with. */
const PROGRAMS = ['/usr/sbin/ip', '/usr/sbin/tc', '/usr/sbin/nft', '/usr/bin/unshare', '/usr/bin/nsenter'];

/** Why there can be no network here; undefined if there can. */
export function whyNoNetwork(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux';
  const missing = PROGRAMS.find(path => !existsSync(path));
  if (missing !== undefined) return `needs ${missing}: npm test as root installs it`;
  try {
    execFileSync('unshare', ['--net', 'true'], { stdio: 'pipe' });
  } catch (error) {
    return `needs network namespaces: ${String(error)}`;
  }
  return undefined;
}

/** How the client follows the server: as an EventSource, or by @tidings/client. */
export type Following = 'follow' | 'connect';

/** The server is 10.0.0.1. The namespaces have no names: they last as long as the processes in them. */
export async function createNetwork(options: ServerOptions, following: Following): Promise<Network> {
  const [server, client] = await Promise.all([
    startHost('network-server.ts', JSON.stringify(options)),
    startHost('network-client.ts'),
  ]);
  const remove = () => {
    for (const host of [server, client]) host.kill('SIGKILL');
  };
  try {
    const [one, other] = [server, client].map(({ pid }) => `name ${CABLE} netns ${pid}`);
    run('/bin/sh', '-c', `ip link add ${one} type veth peer ${other}`);
    for (const [index, host] of [server, client].entries()) {
      host.run(`ip address add 10.0.0.${index + 1}/24 dev ${CABLE}`);
      host.run(`ip link set ${CABLE} up`);
    }
    // What the kernel queues is not the subject. By default that may be megabytes, and a server does not notice that its
    // client is away before it has as much to send.
    server.run('echo 4096 16384 65536 > /proc/sys/net/ipv4/tcp_wmem');
    await client.ask(following, server.port);
  } catch (error) {
    remove();
    throw error;
  }
  return { server, client, remove };
}

async function startHost(program: string, ...args: string[]): Promise<Host> {
  const child = await startBy(['unshare', '--net'], new URL(program, import.meta.url), ...args);
  const inside = [`--net=/proc/${child.pid}/ns/net`, '/bin/sh', '-c'];
  return { ...child, run: line => run('nsenter', ...inside, line) };
}

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8' });
}
