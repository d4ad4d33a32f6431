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

/** Each passes a signal on to a command. */
const running = new Set();

/**
 * Resolves to the exit code of the command. SIGINT and SIGTERM are passed on to the command and all that it runs; when it
 * has ended then, or was ended by another signal, the other commands and this process are ended, too.
 * `niceness`: see `os.setPriority`, default 0.
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
  let received;
  const passOn = signal => {
    received = signal;
    if (detached) process.kill(-child.pid, signal);
    else child.kill(signal);
  };
  running.add(passOn);
  process.on('SIGINT', passOn).on('SIGTERM', passOn);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', passOn).off('SIGTERM', passOn);
      running.delete(passOn);
      if (signal && !received) for (const each of running) each('SIGTERM');
      // A command may catch a signal, and exit with a code of its own.
      const ending = received ?? signal;
      if (ending) process.kill(process.pid, ending);
      else resolve(code);
    });
  });
}
