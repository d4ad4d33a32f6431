import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, type TestContext } from 'vitest';
import { connectToChromium } from './chromium.ts';
import { freePort, run } from './server.ts';

/** Chromium for the suite that calls this: a function that opens a profile of somebody new, until the test is over. */
export function inChromium(): (
  options?: BrowserContextOptions,
  test?: Pick<TestContext, 'onTestFinished'>,
) => Promise<BrowserContext> {
  let browser: Browser;
  beforeAll(async () => {
    browser = await connectToChromium();
  });
  afterAll(() => browser?.close());
  // Tests that run beside others say which they are.
  return async (options, test = { onTestFinished }) => {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(100_000);
    test.onTestFinished(() => context.close());
    return context;
  };
}

/**
 * Another page of a profile, in a window of its own. Of the tabs of one window, those in the background draw once a
 * second, and Playwright waits for two frames before each click.
 */
export async function openWindow(context: BrowserContext): Promise<Page> {
  const [first] = context.pages();
  if (first === undefined) return context.newPage();
  const opened = context.waitForEvent('page');
  await first.evaluate("void window.open('about:blank', '', 'popup,noopener')");
  return opened;
}

export const folderOf = (example: string) =>
  fileURLToPath(new URL(`../../examples/${example}`, import.meta.url));

/**
 * Starts a script of an example, by the shell that npm would start. npm itself would take as long again as Node.js needs
 * to start: the tests in test/examples run each example with it.
 *
 * @returns when the example has printed where its page is. It ends with the test.
 */
export function start(
  cwd: string,
  port: number,
  env: NodeJS.ProcessEnv = {},
  script = 'start',
): Promise<ChildProcess> {
  return startUntil(onTestFinished, shellOf(cwd, script), cwd, port, env);
}

/** The same with `npm run`. The script may have arguments: `start koa-timeline`. */
export function startByNpm(
  cwd: string,
  port: number,
  env: NodeJS.ProcessEnv = {},
  script = 'start',
): Promise<ChildProcess> {
  return startUntil(onTestFinished, ['npm', 'run', ...script.split(' ')], cwd, port, env);
}

function shellOf(cwd: string, script: string): string[] {
  const { scripts } = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8'));
  return ['sh', '-c', scripts[script]];
}

/** The server of an example. */
export interface Example {
  port: number;
  server: ChildProcess;
}

/** What all tests of the suite that calls this share. Once a test has ended it, the next one gets a new one. */
export function shareExample(cwd: string, env: NodeJS.ProcessEnv = {}): Example {
  const example = {} as Example;
  let end = async () => {};
  const keep = (given: () => Promise<void>) => {
    end = given;
  };
  const begin = async () => {
    example.port = await freePort();
    example.server = await startUntil(keep, shellOf(cwd, 'start'), cwd, example.port, env);
  };
  // Tests that run side by side wait for the same server.
  let starting: Promise<void> | undefined;
  beforeEach(() => {
    if (example.server === undefined || hasEnded(example.server)) {
      starting ??= begin().finally(() => {
        starting = undefined;
      });
    }
    return starting;
  });
  afterAll(() => end());
  return example;
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null;

/** Groups of processes that run. */
const running = new Set<number>();
// Vitest ends a worker without its hooks when it is interrupted.
process.on('exit', () => {
  for (const group of running) {
    try {
      process.kill(-group, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
});

async function startUntil(
  whenOver: (end: () => Promise<void>) => void,
  [program = '', ...args]: string[],
  cwd: string,
  port: number,
  env: NodeJS.ProcessEnv,
): Promise<ChildProcess> {
  const PATH = `${join(cwd, 'node_modules/.bin')}:${process.env.PATH}`;
  const server = spawn(program, args, {
    cwd,
    env: { ...process.env, PATH, HOST: '127.0.0.1', PORT: String(port), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // With a process group of its own, as in a terminal.
    detached: true,
  });
  if (server.pid !== undefined) {
    const { pid } = server;
    running.add(pid);
    server.once('close', () => running.delete(pid));
  }
  whenOver(async () => {
    if (hasEnded(server)) return;
    const hangs = setTimeout(() => signal(server, 'SIGKILL'), 10_000);
    await pressCtrlC(server);
    clearTimeout(hangs);
  });
  // workerd says it in JSON.
  const isListening = new RegExp(`( http://127\\.0\\.0\\.1|"port"):${port}}?$`);
  const errors: string[] = [];
  server.stderr.on('data', chunk => errors.push(String(chunk)));
  const lines: string[] = [];
  output.set(server, lines);
  const reader = createInterface({ input: server.stdout });
  return new Promise((resolve, reject) => {
    reader.on('line', line => {
      lines.push(line);
      if (isListening.test(line)) resolve(server);
    });
    reader.once('close', () => reject(new Error(`${args.join(' ')} has ended: ${errors.join('')}`)));
  });
}

const output = new WeakMap<ChildProcess, string[]>();

/** The lines that a server has printed so far. */
export const linesOf = (server: ChildProcess): readonly string[] => output.get(server) ?? [];

/** As a terminal does: a signal for all of the group. Resolves with the exit code and the signal that ended it. */
export async function pressCtrlC(server: ChildProcess): Promise<unknown[]> {
  return signal(server, 'SIGINT');
}

export async function signal(server: ChildProcess, name: NodeJS.Signals): Promise<unknown[]> {
  const exited = once(server, 'exit');
  process.kill(-(server.pid as number), name);
  return exited;
}

/** What the main program of an example ends with, when it cannot start. */
export async function failure(
  program: string,
  env: NodeJS.ProcessEnv,
): Promise<[status: number, output: string]> {
  const failing = spawn(process.execPath, ['--import', 'tsx', folderOf(program)], {
    cwd: folderOf(`${program}/..`),
    env: { ...process.env, HOST: '127.0.0.1', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => void failing.kill('SIGKILL'));
  const output: string[] = [];
  failing.stderr.on('data', chunk => output.push(String(chunk)));
  const [status] = await once(failing, 'close');
  return [status, output.join('')];
}

/** A way to a server that can be cut, and mended. */
export async function throughProxy(
  port: number,
  test: Pick<TestContext, 'onTestFinished'> = { onTestFinished },
) {
  const proxy = net.createServer(socket => {
    pipeline([socket, net.connect(port, '127.0.0.1'), socket], () => {});
  });
  const { origin, kill: cut } = await run(proxy);
  test.onTestFinished(cut);
  return { origin, cut, mend: () => void proxy.listen(Number(new URL(origin).port), '127.0.0.1') };
}

/** On a busy machine, even what is quick may take its time. */
const poller =
  (expectOf: Pick<typeof expect, 'poll'>) =>
  <T>(read: () => T) =>
    expectOf.poll(read);

export const poll = poller(expect);

/** The same, for a test that runs beside others. */
export const pollIn = (test: Pick<TestContext, 'expect'>) => poller(test.expect);
