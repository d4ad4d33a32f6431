import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A server in a process of its own, which does jobs when it is asked to, one at a time. */
export interface Child {
  pid: number;
  origin: string;
  port: number;
  ask<T>(job: string, ...args: number[]): Promise<T>;
  /** Resolves when the process has ended, with its exit code. */
  ended: Promise<number | null>;
  kill(signal?: NodeJS.Signals): void;
}

/** Starts a program whose first message is its port, and each further one an answer. */
export function start(program: URL, ...args: string[]): Promise<Child> {
  return startBy([], program, ...args);
}

/** The same, by a command that becomes the program it is given, such as `unshare`. */
export async function startBy(command: string[], program: URL, ...args: string[]): Promise<Child> {
  const [execPath = '', ...execArgv] = [...command, process.execPath, '--expose-gc', '--import', 'tsx'];
  const child = fork(fileURLToPath(program), args, { execPath, execArgv });
  const ended = new Promise<number | null>(resolve => child.once('exit', resolve));
  const answer = async <T>() => {
    const failed = ended.then(code =>
      Promise.reject(new Error(`${program.pathname} has ended with ${code}`)),
    );
    const [message] = (await Promise.race([once(child, 'message'), failed])) as [T];
    return message;
  };
  const port = await answer<number>();
  return {
    pid: child.pid as number,
    origin: `http://127.0.0.1:${port}`,
    port,
    ask<T>(...message: [job: string, ...args: number[]]) {
      child.send(message);
      return answer<T>();
    },
    ended,
    kill: signal => child.kill(signal),
  };
}
