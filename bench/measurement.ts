import { Client } from './client.ts';
import type { Server } from './server.ts';
import type { Subject } from './subjects.ts';

/** Something that is measured, in one or more tables. */
export interface Measurement<R extends Row = Row> {
  readonly name: string;
  /** For the head of its tables: what the figures are, and their units. */
  readonly about: string;
  readonly columns: readonly Column[];
  /** Who takes part. */
  readonly rows: readonly R[];
  /** When it is measured without being named. Default: always. `never`: only by name. */
  readonly byDefault?: 'unless quick' | 'never';
  /** Measures one of them once. */
  readonly measure: (row: R, record: RecordFigure, scale: Scale) => Promise<void>;
}

export interface Row {
  readonly name: string;
  readonly title: string;
}

interface Column {
  readonly name: string;
  /** Its head. Default: the name. */
  readonly title?: string;
  /** Digits after the point. Default: 2. */
  readonly digits?: number;
  /** One more column says how many times this it is that the reference takes. */
  readonly isCompared?: boolean;
  /** It is a part of the figure before it, and shown without its spread. */
  readonly isPart?: boolean;
}

export type RecordFigure = (table: string, column: string, value: number) => void;

/** How much is measured. */
export interface Scale {
  /** Streams at most. */
  readonly streams: number;
  /** Only the figures that show at once whether a change has made Tidings slower. */
  readonly isQuick: boolean;
}

/** Measures each subject with a server process and clients of its own. */
export function serving(
  measure: (server: Server, client: Client, record: RecordFigure, scale: Scale) => Promise<void>,
): Measurement<Subject>['measure'] {
  return async (subject, record, scale) => {
    const server = await subject.start();
    try {
      await withClient(client => measure(server, client, record, scale));
    } finally {
      await server.end();
    }
  };
}

/** Gives clients to something, and ends them after it. */
export async function withClient<T>(use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** The CPU time that a server has used for something, in µs. */
export async function cpuFor(server: Server, what: () => Promise<unknown>) {
  const before = server.cpu;
  await what();
  const after = server.cpu;
  const total = after.total - before.total;
  // How the kernel divides it is coarser than the sum.
  const user = Math.min(total, after.user - before.user);
  return { total, user, system: total - user };
}

/** So many streams, in words. */
export function streamsTitle(streams: number): string {
  return `${streams.toLocaleString('en')} streams`;
}

/** Those of the numbers of streams that are to be measured; with a lower limit, the limit. */
export function streamCounts(counts: readonly number[], { streams, isQuick }: Scale): readonly number[] {
  const allowed = counts.filter(count => count <= streams);
  if (allowed.length === 0) return [streams];
  return isQuick ? allowed.slice(-1) : allowed;
}
