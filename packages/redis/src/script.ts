import { createHash } from 'node:crypto';
import type { Connection } from './connection.ts';

/** A Lua script that Redis may already know. */
export class Script {
  readonly #text: string;
  readonly #digest: string;

  constructor(text: string) {
    this.#text = text;
    this.#digest = createHash('sha1').update(text).digest('hex');
  }

  async run(connection: Connection, key: string, args: readonly string[]): Promise<unknown> {
    try {
      return await connection.call(['EVALSHA', this.#digest, '1', key, ...args]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return connection.call(['EVAL', this.#text, '1', key, ...args]);
    }
  }
}
