// Runs a command for a script, and ends the script when the command fails or a signal arrives.
import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Resolves when the command has succeeded. If it fails, this process exits with its code. See `exitCode`. */
export async function run(command, args, options) {
  const code = await exitCode(command, args, options);
  if (code !== 0) process.exit(code);
}

/**
 * Resolves to the exit code of the command. A command that was ended by a signal ends this process with the same signal.
 * SIGINT and SIGTERM are passed on to the command and all that it runs. `niceness`: see `os.setPriority`, default 0.
 */
export function exitCode(command, args, { niceness = 0, ...options } = {}) {
  // A process group of its own: npx does not pass SIGTERM on to what it runs.
  const detached = process.platform !== 'win32';
  const child = spawn(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached,
    ...options,
  });
  if (child.pid !== undefined && niceness !== 0) setPriority(child.pid, niceness);
  const passOn = signal => (detached ? process.kill(-child.pid, signal) : child.kill(signal));
  process.on('SIGINT', passOn).on('SIGTERM', passOn);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', passOn).off('SIGTERM', passOn);
      if (signal) process.kill(process.pid, signal);
      else resolve(code);
    });
  });
}
