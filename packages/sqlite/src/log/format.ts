import type { Draft, Entry, Position } from '@tidings/core';
import type { SqlValue } from '../file/driver.ts';

const KINDS = ['event', 'gone', 'end', 'begin', 'control'] as const;

/** The kinds of entries, as they are stored. */
export const KIND = { event: 0, gone: 1, end: 2, begin: 3, control: 4 } as const;

/** Whether entries of this kind do not count against the limits of a channel. */
export function isMark(kind: number): boolean {
  return kind === KIND.end || kind === KIND.begin;
}

/** Encodes text. NUL becomes two characters, of which the first is U+0001: some drivers truncate text at a NUL. */
export function encodeText(text: string): string {
  if (!text.includes('\0') && !text.includes('\x01')) return text;
  return text.replaceAll('\x01', '\x011').replaceAll('\0', '\x010');
}

export function decodeText(text: string): string {
  return text.includes('\x01') ? text.replaceAll('\x010', '\0').replaceAll('\x011', '\x01') : text;
}

/** The columns of an entry, in the order of {@link encodeEntry}. */
export const ENTRY_COLUMNS = 'kind, json, event, key, except_for, data';

/** A row with {@link ENTRY_COLUMNS}. */
export interface EntryRow {
  position: Position;
  kind: number;
  json: number;
  event: string | null;
  key: string | null;
  except_for: string | null;
  data: string;
}

export function encodeEntry({ kind, json, event, key, except, data }: Draft): SqlValue[] {
  const text = (value: string | undefined) => (value === undefined ? null : encodeText(value));
  return [KIND[kind], json ? 1 : 0, text(event), text(key), text(except), encodeText(data)];
}

export function decodeEntry(channel: string, row: EntryRow): Entry {
  const text = (value: string | null) => (value === null ? undefined : decodeText(value));
  return {
    channel,
    position: row.position,
    kind: KINDS[row.kind] as Entry['kind'],
    event: text(row.event),
    key: text(row.key),
    except: text(row.except_for),
    json: row.json === 1,
    data: decodeText(row.data),
  };
}
