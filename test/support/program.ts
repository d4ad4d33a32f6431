import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type Client, request } from './client.ts';
import { freePort } from './server.ts';
import { root } from './snippets.ts';

/** A program that listens on a free port. */
export interface Program {
  origin: string;
  /** Asks until the program listens. */
  get(path: string, options?: Parameters<typeof request>[2]): Promise<Client>;
  signal(name: NodeJS.Signals): void;
  /** Resolves with its exit code. */
  exited: Promise<number | null>;
  /** Ends it, and removes what was written for it. */
  stop(): Promise<void>;
}

/** Those of NestJS are not those of the language. */
const DECORATORS = '{ "compilerOptions": { "experimentalDecorators": true } }';

/**
 * Runs a snippet that listens on port 3000.
 *
 * @param page what there is as `index.html`, beside the program.
 * @param within the folder whose `node_modules` the program imports from. Default: that of the tests, which has the sources.
 */
export async function runProgram(source: string, page?: string, within = `${root}test`): Promise<Program> {
  const port = await freePort();
  const local = source
    .replace('listen(3000', `listen(${port}, '127.0.0.1'`)
    .replace('port: 3000', `port: ${port}, hostname: '127.0.0.1'`);
  if (local === source) throw new Error('the program does not listen on port 3000');
  const folder = mkdtempSync(`${within}/.snippets-`);
  const file = `${folder}/program.ts`;
  writeFileSync(file, local);
  if (source.includes('@nestjs/')) writeFileSync(`${folder}/tsconfig.json`, DECORATORS);
  if (page !== undefined) writeFileSync(`${folder}/index.html`, page);
  return startProgram(folder, port, ['--import', 'tsx', file]);
}

/**
 * Starts a program of Node.js that listens on a port of 127.0.0.1.
 *
 * @param folder its working directory, which is removed when it is stopped.
 */
export function startProgram(
  folder: string,
  port: number,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Program {
  const child: ChildProcess = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const origin = `http://127.0.0.1:${port}`;
  return {
    origin,
    async get(path, options) {
      for (;;) {
        try {
          return await request(origin, path, options);
        } catch (error) {
          if ((error as { code?: string }).code !== 'ECONNREFUSED' || child.exitCode !== null) throw error;
          await new Promise(resolve => setTimeout(resolve, 50));
        }
      }
    },
    signal: name => child.kill(name),
    exited,
    async stop() {
      child.kill('SIGKILL');
      await exited;
      rmSync(folder, { recursive: true });
    },
  };
}
