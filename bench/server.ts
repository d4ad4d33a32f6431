import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../test/support/server.ts';
import { accepts, compile, endProgram, firstOf, pathOf, startProgram } from './program.ts';
import { payload, publishCommand } from './servers/payload.mjs';

/** CPU time, in µs. */
export interface Cpu {
  total: number;
  /** Of that, outside of the kernel. */
  user: number;
}

/** What a server can be asked, and what it answers: see `servers/host.mjs`. */
interface Jobs {
  memory: { heap: number; rss: number };
  connections: number;
  watch: undefined;
  held: number;
  drain: number;
}

/** A server under test, in a process of its own. */
export class Server {
  readonly port: number;
  /** The port that takes what `publishing` makes. */
  readonly control: number;
  /** The bytes that have so many events, of about so many bytes each, published in one turn. */
  readonly publishing: (events: number, bytes: number) => string;
  readonly #program: ChildProcess;
  /** The processes that serve. */
  readonly #pids: readonly number[];
  readonly #cleanUp: () => void;

  private constructor(
    program: ChildProcess,
    ports: { port: number; control: number },
    publishing = publishCommand,
    cleanUp = () => {},
  ) {
    const pid = program.pid as number;
    const workers = childrenOf(pid);
    this.#program = program;
    this.#pids = workers.length > 0 ? workers : [pid];
    this.port = ports.port;
    this.control = ports.control;
    this.publishing = publishing;
    this.#cleanUp = cleanUp;
  }

  /** Starts what `servers/<name>.mjs` exports, on plain Node and what npm would install of Tidings. */
  static async onNode(name: string): Promise<Server> {
    const parameters = [
      '--expose-gc',
      '--import',
      pathOf('servers/published.mjs'),
      pathOf('servers/host.mjs'),
      name,
    ];
    const program = startProgram(process.execPath, parameters, ['ignore', 'inherit', 'inherit', 'ipc']);
    return new Server(program, await firstOf(program, 'message'));
  }

  /** Starts a program that is compiled from `<name>.c`. */
  static async inC(name: string): Promise<Server> {
    const program = startProgram(compile(`${name}.c`), [], ['pipe', 'pipe', 'inherit']);
    const ports = await firstOf<string>(program.stdout as NodeJS.ReadableStream, 'data', program);
    return new Server(program, JSON.parse(ports));
  }

  /** Starts nginx with nchan, with one worker. */
  static async nchan(module: string): Promise<Server> {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'tidings-bench-'));
    writeFileSync(join(folder, 'nginx.conf'), nginxConfiguration(module, port));
    const program = startProgram(
      'nginx',
      ['-p', folder, '-e', 'stderr', '-c', 'nginx.conf'],
      ['ignore', 'ignore', 'inherit'],
    );
    while (!(await accepts(port))) await sleep(50);
    return new Server(program, { port, control: port }, nchanPublishing, () =>
      rmSync(folder, { recursive: true }),
    );
  }

  /** Whether it can be asked what goes on inside. */
  get isOnNode(): boolean {
    return this.#program.connected;
  }

  /** What the process, or the workers of nginx, have used so far. */
  get cpu(): Cpu {
    const cpus = this.#pids.map(cpuOf);
    const sum = (key: keyof Cpu) => cpus.reduce((total, cpu) => total + cpu[key], 0);
    return { total: sum('total'), user: sum('user') };
  }

  /** Does something inside of a server on Node. */
  async ask<Job extends keyof Jobs>(job: Job, argument?: number): Promise<Jobs[Job]> {
    this.#program.send({ job, argument });
    const { result } = await firstOf<{ result: Jobs[Job] }>(this.#program, 'message');
    return result;
  }

  async end(): Promise<void> {
    // A worker of nginx ends when its master does so in order.
    if (this.control === this.port) {
      const ended = once(this.#program, 'exit');
      this.#program.kill('SIGTERM');
      await Promise.race([ended, sleep(5_000)]);
    }
    await endProgram(this.#program);
    this.#cleanUp();
  }
}

function childrenOf(pid: number): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter(other => Number(statOf(other)?.[1]) === pid);
}

/** The fields of /proc/<pid>/stat from the third on; undefined when there is no such process any more. */
function statOf(pid: number): string[] | undefined {
  try {
    // The second is the name of the program, with anything in it.
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch {
    return undefined;
  }
}

/** Ticks that the kernel counts in a second, for /proc. */
const TICKS = 100;

/** The scheduler's own count, to the nanosecond, of all threads; how it divides is known to the tick only. */
function cpuOf(pid: number): Cpu {
  let total = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    total += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1000;
  }
  return { total, user: (Number(statOf(pid)?.[11]) * 1e6) / TICKS };
}

function nchanPublishing(events: number, bytes: number): string {
  const body = JSON.stringify(payload(bytes));
  const request = [
    'POST /publish HTTP/1.1',
    'Host: localhost',
    'X-EventSource-Event: tick',
    `Content-Length: ${body.length}`,
    '',
    body,
  ];
  return request.join('\r\n').repeat(events);
}

function nginxConfiguration(module: string, port: number): string {
  return `
    load_module ${module};
    daemon off;
    user root;
    worker_processes 1;
    pid nginx.pid;
    events { worker_connections 18000; }
    http {
      access_log off;
      keepalive_requests 1000000;
      client_body_temp_path body;
      nchan_shared_memory_size 256M;
      server {
        listen 127.0.0.1:${port} backlog=511;
        location = / {
          nchan_subscriber eventsource;
          nchan_channel_id news;
          nchan_subscriber_first_message newest;
        }
        location = /publish {
          nchan_publisher;
          nchan_channel_id news;
          nchan_message_buffer_length 256;
        }
        location = /ping { return 200 pong; }
      }
    }`;
}
