import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A server in a process of its own, which does jobs when it is asked to, one at a time. */
export interface Child {
  origin: string;
  port: number;
  ask<T>(job: string, ...args: number[]): Promise<T>;
  /** Resolves when the process has ended, with its exit code. */
  ended: Promise<number | null>;
  kill(signal?: NodeJS.Signals): void;
}

/** Starts a program whose first message is its port, and each further one an answer. */
export async function start(program: URL, ...args: string[]): Promise<Child> {
  const child = fork(fileURLToPath(program), args, {
    execArgv: ['--expose-gc', '--import', 'tsx'],
  });
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
