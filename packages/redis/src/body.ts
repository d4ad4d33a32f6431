import type { Draft, Entry, Page, Position } from '@tidings/core';

const LETTERS = { event: 'e', gone: 'g', end: 'x' } as const;
const KINDS: Record<string, Entry['kind']> = { e: 'event', g: 'gone', x: 'end' };

/** The kind of a draft, as one letter. */
export function kindOf(draft: Draft): string {
  return LETTERS[draft.kind];
}

/**
 * An entry as Redis keeps it: its kind, what else it has (as JSON, if it has any), a line break, its data as it is.
 * JSON has no line breaks of its own.
 */
export function writeBody(draft: Draft): string {
  const { event, key, except, data } = draft;
  const hasMore = event !== undefined || key !== undefined || except !== undefined;
  return `${kindOf(draft)}${hasMore ? JSON.stringify([event, key, except]) : ''}\n${data}`;
}

/** Reads what {@link writeBody} wrote. */
function readBody(channel: string, position: Position, body: string): Entry {
  const lineEnd = body.indexOf('\n');
  const [event, key, except] = readMore(body.slice(1, lineEnd));
  const kind = KINDS[body[0] as string] as Entry['kind'];
  return { channel, position, kind, event, key, except, data: body.slice(lineEnd + 1) };
}

type More = [event?: string | undefined, key?: string | undefined, except?: string | undefined];

// Most are like the one before.
let lastText = '';
let lastMore: More = [];

function readMore(text: string): More {
  if (text === '') return [];
  if (text !== lastText) {
    lastMore = JSON.parse(text, (_, value) => value ?? undefined) as More;
    lastText = text;
  }
  return lastMore;
}

/** What comes of a channel as one message: entries that follow each other. */
export interface Message {
  readonly epoch: string;
  readonly channel: string;
  /** The position of the channel's entry before these; 0 if nothing is known of it. */
  readonly previous: Position;
  readonly entries: readonly Entry[];
}

const HEADER = /^([0-9a-z]+) (\d+) (\d+)((?: \d+)+)\n/;

/** Reads what the append script publishes. Undefined if it is nothing of the kind: anybody can publish anything. */
export function readMessage(channel: string, text: string): Message | undefined {
  const [header, epoch = '', previous, first, lengths] = HEADER.exec(text) ?? [];
  if (header === undefined || lengths === undefined) return undefined;
  let start = header.length;
  try {
    const entries = lengths
      .slice(1)
      .split(' ')
      .map((length, index) => {
        const body = text.slice(start, start + Number(length));
        start += body.length;
        return readBody(channel, Number(first) + index, body);
      });
    return { epoch, channel, previous: Number(previous), entries };
  } catch {
    return undefined;
  }
}

/** A page as the read script answers it. */
export type RawPage = [floor: string, ended: string, more: string, entries: [id: string, fields: string[]][]];

export function readPage(channel: string, [floor, ended, more, entries]: RawPage): Page {
  return {
    floor: Number(floor),
    ended: ended === '' ? undefined : Number(ended),
    more: more === '1',
    entries: entries.map(([id, fields]) => readBody(channel, Number.parseInt(id, 10), fields[1] as string)),
  };
}
