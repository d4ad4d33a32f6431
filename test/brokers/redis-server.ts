import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/server.ts';

export const REDIS = '/usr/bin/redis-server';

/** Killed when the tests exit, however that happens. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const server of running) server.kill('SIGKILL');
});

/** A Redis server of one test, on loopback. It can be killed and started again with the same port and files. */
export class RedisServer {
  readonly port: number;
  readonly folder = mkdtempSync(join(tmpdir(), 'tidings-redis-'));
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
  }

  static async start(...args: string[]): Promise<RedisServer> {
    for (let attempt = 1; ; attempt++) {
      let port = await freePort();
      // A node of a cluster also listens on a port that is 10,000 higher.
      while (port > 55_535) port = await freePort();
      const server = new RedisServer(port, args);
      try {
        await server.start();
        return server;
      } catch (error) {
        // Somebody else has taken one of its ports.
        if (attempt === 5) throw error;
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const { port, folder } = this;
    const standard = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
    const server = spawn(REDIS, ['--port', String(port), ...standard, ...this.#args], { stdio: 'ignore' });
    this.#process = server;
    running.add(server);
    server.on('exit', () => running.delete(server));
    while (!(await answers(port))) {
      if (server.exitCode !== null)
        throw new Error(`redis-server on port ${port} exited with ${server.exitCode}`);
      await new Promise(resolve => setTimeout(resolve, 10));
    }
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    if (server === undefined || server.exitCode !== null) return;
    const exited = once(server, 'exit');
    server.kill('SIGKILL');
    await exited;
  }

  /** Stops the process with its connections open. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Returns what redis-cli prints. */
  cli(...args: string[]): string {
    return execFileSync('redis-cli', ['-p', String(this.port), ...args], { encoding: 'utf8' }).trim();
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whether a server replies, and has loaded its data. */
function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => resolve(false));
    socket.on('connect', () => socket.write('PING\r\n'));
    socket.on('data', data => {
      socket.destroy();
      resolve(data.toString().startsWith('+PONG'));
    });
  });
}
