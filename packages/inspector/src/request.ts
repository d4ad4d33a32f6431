import type { EventStream } from '@tidings/core';

/** A request of the inspector's page, for any kind of server. */
export interface PageRequest {
  readonly method: string;
  /** The path relative to that of the inspector; begins with `/`. Absent for the inspector's path without a slash. */
  readonly path: string | undefined;
  readonly query: URLSearchParams;
  /** A header, by its lowercase name. */
  header(name: string): string | undefined;
  /** The address of the client, if the server provides it. */
  readonly remoteAddress: string | undefined;
  /** `1.0` or `1.1`, if the server provides it. */
  readonly httpVersion: string | undefined;
  /** Calls the application's `authorize`. Undefined without that option. */
  readonly authorize: (() => unknown) | undefined;
}

/** The response to a {@link PageRequest}: complete, or a stream. */
export type Answer = PageResponse | PageStream;

export interface PageResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface PageStream {
  /** Subscribes the stream, or sends to it. */
  follow(stream: EventStream): void;
}

export function text(status: number, body: string, headers: Record<string, string> = {}): PageResponse {
  return { status, body, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers } };
}
