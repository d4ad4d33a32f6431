import type { Draft, Entry, Page, Position } from '@tidings/core';

/** The names of one hub in Redis. In a cluster, all are in the slot of `{prefix}`. */
export class Names {
  /** The hub's hash. The scripts derive the names of the other keys from it. */
  readonly hub: string;
  /** The Pub/Sub channel of this process only, on which it receives its barriers. */
  readonly process: string;
  /** The Pub/Sub channel of notices to all processes. */
  readonly notices: string;
  readonly #entries: string;

  /** @param process a random name of this process. */
  constructor(prefix: string, process: string) {
    const root = `{${prefix}}:`;
    this.hub = `${root}hub`;
    this.process = `${root}process:${process}`;
    this.notices = `${root}notices`;
    this.#entries = `${root}on:`;
  }

  /** The Pub/Sub channel on which a channel's new entries are published. */
  readonly entriesOf = (channel: string): string => this.#entries + channel;

  /** The channel of a name that `entriesOf` returned. */
  channelOf(name: string): string {
    return name.slice(this.#entries.length);
  }
}

const LETTERS = { event: 'e', gone: 'g', end: 'x', begin: 'b', control: 'c' } as const;
const KINDS: Record<string, Entry['kind']> = { e: 'event', g: 'gone', x: 'end', b: 'begin', c: 'control' };

/** The kind of a draft, as one letter. */
export function kindLetter(draft: Draft): string {
  return LETTERS[draft.kind];
}

/**
 * Encodes an entry as Redis stores it: the letter of its kind; `j`, if its data is JSON; its name, key and `except` as
 * a JSON array, if it has any of them; a line break; its data. The array contains no line break.
 */
export function encodeEntry(draft: Draft): string {
  const { event, key, except, json, data } = draft;
  const hasFields = event !== undefined || key !== undefined || except !== undefined;
  const fields = hasFields ? JSON.stringify([event, key, except]) : '';
  return `${kindLetter(draft)}${json ? 'j' : ''}${fields}\n${data}`;
}

/** Decodes the result of {@link encodeEntry}. Throws for any other text. */
function decodeEntry(channel: string, position: Position, text: string): Entry {
  const lineEnd = text.indexOf('\n');
  const kind = KINDS[text[0] as string];
  if (kind === undefined || lineEnd < 1) throw new Error('not an entry');
  const json = text[1] === 'j';
  const [event, key, except] = decodeFields(text.slice(json ? 2 : 1, lineEnd));
  return { channel, position, kind, event, key, except, json, data: text.slice(lineEnd + 1) };
}

type Fields = [event?: string | undefined, key?: string | undefined, except?: string | undefined];

// Caches the last fields: consecutive entries often have the same, and parsing JSON takes most of the decoding time.
let lastText = '';
let lastFields: Fields = [];

function decodeFields(text: string): Fields {
  if (text === '') return [];
  if (text !== lastText) {
    lastFields = JSON.parse(text, (_, value) => value ?? undefined) as Fields;
    lastText = text;
  }
  return lastFields;
}

/** A Pub/Sub message: entries of one channel with consecutive positions. */
export interface Message {
  readonly epoch: string;
  readonly channel: string;
  /** The channel's newest position before these entries. 0 if Redis had no record of the channel. */
  readonly previous: Position;
  readonly entries: readonly Entry[];
}

const HEADER = /^([0-9a-z]+) (\d+) (\d+)((?: \d+)+)\n/;

/**
 * Decodes a message of the append script: epoch, previous position, first position, length of each entry in UTF-16
 * units; a line break; the entries.
 *
 * @returns undefined for any other text, because every client of the server can publish to these names.
 */
export function decodeMessage(channel: string, text: string): Message | undefined {
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
        return decodeEntry(channel, Number(first) + index, body);
      });
    return start === text.length ? { epoch, channel, previous: Number(previous), entries } : undefined;
  } catch {
    return undefined;
  }
}

/** A page as the read script returns it. */
export type RawPage = [
  trimmedUpTo: string,
  last: string,
  endedAt: string,
  more: string,
  superseded: string,
  entries: [id: string, fields: string[]][],
];

export function decodePage(channel: string, page: RawPage): Page {
  const [trimmedUpTo, last, endedAt, more, superseded, entries] = page;
  return {
    trimmedUpTo: Number(trimmedUpTo),
    last: last === '' ? undefined : Number(last),
    endedAt: endedAt === '' ? undefined : Number(endedAt),
    more: more === '1',
    ...(superseded === '0' ? {} : { supersededUpTo: Number(superseded) }),
    entries: entries.map(([id, fields]) =>
      decodeEntry(channel, Number.parseInt(id, 10), fields[1] as string),
    ),
  };
}
