import { type ChildProcess, execFileSync, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import net from 'node:net';
import { fileURLToPath } from 'node:url';

/** Where a file of the benchmark is. */
export function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

/** Starts a program that may open as many files as the machine lets it. */
export function startProgram(
  command: string,
  parameters: readonly string[],
  stdio: StdioOptions,
  env: Record<string, string> = {},
): ChildProcess {
  const raise = 'ulimit -n "$(ulimit -H -n)" && exec "$@"';
  return spawn('/bin/sh', ['-c', raise, 'sh', command, ...parameters], {
    stdio,
    env: { ...process.env, ...env },
  });
}

/** Ends a program that this process has started, whatever it is at. */
export async function endProgram(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return;
  const ended = new Promise(resolve => program.once('exit', resolve));
  program.kill('SIGKILL');
  await ended;
}

const compiled = new Map<string, string>();

/** Compiles a program of the benchmark, and says where it is. */
export function compile(source: string): string {
  let program = compiled.get(source);
  if (program === undefined) {
    mkdirSync(pathOf('dist'), { recursive: true });
    program = pathOf(`dist/${source.replace(/\.c$/, '')}`);
    execFileSync('cc', ['-O2', '-o', program, pathOf(source)], { stdio: ['ignore', 'inherit', 'inherit'] });
    compiled.set(source, program);
  }
  return program;
}

/** The first thing that is heard of a program, unless it ends. */
export async function firstOf<T>(source: NodeJS.EventEmitter, event: string, program = source): Promise<T> {
  const stop = new AbortController();
  const { signal } = stop;
  const ended = once(program, 'exit', { signal }).then(([code]) => {
    throw new Error(`a program has ended, with ${code}`);
  });
  try {
    return (await Promise.race([once(source, event, { signal }), ended]))[0];
  } finally {
    ended.catch(() => {});
    stop.abort();
  }
}

/** Whether anybody listens on a port of this machine. */
export function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
