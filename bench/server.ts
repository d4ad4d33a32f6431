import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '../test/support/server.ts';
import { endNginx, nchanConfiguration, startNginx } from './nginx.ts';
import { type Cpu, childrenOf, cpuOf } from './processes.ts';
import { compile, endProgram, firstOf, pathOf, startProgram } from './program.ts';
import { payload, publishCommand } from './servers/payload.mjs';

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

  /**
   * Starts the server that `servers/<name>.mjs` exports, on plain Node.js and with the packages that npm would install.
   *
   * @param packages the URL of a folder with packages of Tidings. Default: those of this tree.
   * @param flags of V8.
   */
  static async onNode(name: string, packages?: string, flags: readonly string[] = []): Promise<Server> {
    const parameters = [
      ...flags,
      '--expose-gc',
      '--import',
      pathOf('servers/published.mjs'),
      pathOf('servers/host.mjs'),
      name,
    ];
    const env = packages === undefined ? {} : { TIDINGS_PACKAGES: packages };
    const program = startProgram(process.execPath, parameters, ['ignore', 'inherit', 'inherit', 'ipc'], env);
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
    const { program, cleanUp } = await startNginx(port, nchanConfiguration(module, port), 1);
    return new Server(program, { port, control: port }, nchanPublishing, cleanUp);
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

  /** Lets a server on Node.js exit by itself, so that V8 writes the rest of its log. */
  async exit(): Promise<void> {
    const exited = once(this.#program, 'exit');
    this.#program.disconnect();
    await exited;
  }

  async end(): Promise<void> {
    if (this.control === this.port) await endNginx(this.#program);
    else await endProgram(this.#program);
    this.#cleanUp();
  }
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
