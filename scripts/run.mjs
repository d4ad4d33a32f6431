import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';

const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'];

/**
 * Runs a program in a process group of its own. A signal that ends this process is sent to the group first; this process
 * then exits with the code of that signal, as a shell does: 128 and its number.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<number>} the exit code.
 */
export async function run(command, args, options) {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options, detached: true });
  let received;
  const forward = signal => {
    received ??= signal;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // It has ended.
    }
  };
  for (const signal of SIGNALS) process.on(signal, forward);
  const [code, signal] = await once(child, 'exit');
  if (received !== undefined) process.exit(codeOf(received));
  for (const name of SIGNALS) process.off(name, forward);
  return code ?? codeOf(signal);
}

const codeOf = signal => 128 + constants.signals[signal];
