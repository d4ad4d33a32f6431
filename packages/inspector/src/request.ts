import type { EventStream } from '@tidings/core';

/** A request for something of the inspector, whatever the server. */
export interface PageRequest {
  readonly method: string;
  /** Below the path of the inspector; begins with `/`. Absent for the path itself, without a slash at its end. */
  readonly path: string | undefined;
  readonly query: URLSearchParams;
  /** A header, by its lowercase name. */
  header(name: string): string | undefined;
  /** The address of the peer, if the server knows it. */
  readonly remoteAddress: string | undefined;
  /** `1.0` or `1.1`, if the server knows it. */
  readonly httpVersion: string | undefined;
  /** What the application's `authorize` says; undefined without one. */
  readonly authorize: (() => unknown) | undefined;
}

/** What answers it. */
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
