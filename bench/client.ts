import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { compile, endProgram, startProgram } from './program.ts';
import type { Server } from './server.ts';

/** What the clients have seen of a run. */
export interface Report {
  ms: number;
  /** How often was published. */
  rounds: number;
  /** That have arrived, on all streams; and on the streams that got the fewest and the most. */
  events: number;
  least: number;
  most: number;
  bytes: number;
  /** From publishing to receipt, in µs. */
  p50: number;
  p99: number;
  max: number;
}

export interface RunOptions {
  /** Events that are published in one turn. */
  events?: number;
  /** Bytes of each. Default: 130. */
  size?: number;
  /** Ms and rounds that the run takes at least. */
  ms?: number;
  rounds?: number;
  /** Ms from one round to the next. Default: as soon as all events have arrived. */
  interval?: number;
}

/** How many requests of one client may wait for their answer: no more than a server's queue of connections takes. */
const WINDOW = 256;

/** A crowd of clients, in a process of its own. It reads only while something is asked of it. */
export class Client {
  readonly #program: ChildProcess;
  readonly #answers: Interface;
  #streams = 0;

  constructor() {
    this.#program = startProgram(compile('client.c'), [], ['pipe', 'pipe', 'inherit']);
    this.#answers = createInterface({ input: this.#program.stdout as NodeJS.ReadableStream });
  }

  /** Opens streams. Returns how many ms that took. */
  async open(
    server: Server,
    streams: number,
    headers: Record<string, string> = {},
    path = '/',
  ): Promise<number> {
    const { ms } = await this.#ask<{ ms: number }>(
      ['open', streams, WINDOW, server.port],
      request(path, { accept: 'text/event-stream', ...headers }),
    );
    this.#streams += streams;
    return ms;
  }

  /** Has events published, and waits for them. Fails if any is missing, or comes twice. */
  async run(server: Server, options: RunOptions): Promise<Report> {
    const { events = 1, size = 130, ms = 0, rounds = 1, interval = 0 } = options;
    const report = await this.#ask<Report>(
      ['run', server.control, ms, rounds, events, Math.round(interval * 1000)],
      server.publishing(events, size),
    );
    return this.#check(report, report.rounds * events, size);
  }

  /** Waits until so many events have come on each stream since it was opened. */
  async receive(events: number, size = 130): Promise<Report> {
    return this.#check(await this.#ask<Report>(['receive', events]), events, size);
  }

  /** Asks for something else, again and again at an interval in ms; one request at a time. */
  async probe(server: Server, times: number, interval: number): Promise<Report> {
    return await this.#ask<Report>(['probe', server.port, times, interval * 1000], request('/ping', {}));
  }

  /** Waits for every stream to end. `clean`: how many have ended as they should, and not in the middle. */
  async ends(ms: number): Promise<{ ms: number; ended: number; clean: number }> {
    return await this.#ask(['ends', ms]);
  }

  /** Cuts all connections. */
  async close(): Promise<void> {
    await this.#ask(['close']);
    this.#streams = 0;
  }

  async end(): Promise<void> {
    await endProgram(this.#program);
  }

  #check(report: Report, each: number, size: number): Report {
    const { events, least, most, bytes } = report;
    const expected = each * this.#streams;
    if (events !== expected || least !== each || most !== each) {
      throw new Error(
        `${expected} events were due, ${each} on each stream: ${events} came, ${least} to ${most}`,
      );
    }
    // Servers differ in what they put around a text, but none can do with less than the text.
    if (bytes < expected * (size - 80))
      throw new Error(`${bytes} bytes cannot be ${expected} events of ${size}`);
    return report;
  }

  async #ask<T>(command: readonly (string | number)[], data = ''): Promise<T> {
    this.#program.stdin?.write(`${command.join(' ')} ${Buffer.byteLength(data)}\n${data}`);
    const [answer] = await once(this.#answers, 'line');
    const { error, ...result } = JSON.parse(answer);
    if (error !== undefined) throw new Error(`${error} ${JSON.stringify(result)}`);
    return result as T;
  }
}

function request(path: string, headers: Record<string, string>): string {
  const lines = Object.entries({ host: 'localhost', ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
