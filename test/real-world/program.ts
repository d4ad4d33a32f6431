import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** None outlives the tests, whatever becomes of them. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const program of running) program.kill('SIGKILL');
});

export interface Program {
  stop(): Promise<void>;
}

/**
 * Starts a program that stays in the foreground, and waits until it listens.
 *
 * @param write is given a new folder for what the program needs, and says how it is started.
 */
export async function startProgram(
  path: string,
  port: number,
  write: (folder: string) => { args: string[]; files?: Record<string, string> },
): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-program-'));
  const { args, files = {} } = write(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const output = join(folder, 'output');
  const log = openSync(output, 'w');
  const program = spawn(path, args, {
    cwd: folder,
    stdio: ['ignore', log, log],
    env: { PATH: process.env.PATH, HOME: folder },
  });
  closeSync(log);
  running.add(program);
  program.on('exit', () => running.delete(program));
  while (!(await listens(port))) {
    if (program.exitCode !== null || program.signalCode !== null) {
      const said = readFileSync(output, 'utf8');
      rmSync(folder, { recursive: true, force: true });
      throw new Error(`${path} has ended: ${said}`);
    }
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  return {
    async stop() {
      if (program.exitCode === null && program.signalCode === null) {
        const exited = once(program, 'exit');
        program.kill('SIGKILL');
        await exited;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => resolve(false));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
