import type { EventStream, Hub, HubOptions, StreamOptions } from '@tidings/core';
import type { Running } from '../support/server.ts';

/** What a test's handler can do, said the same way for every framework. */
export interface Context {
  /** Answers with a stream, as the framework's users do, and gives it to `use`. Return what it returns. */
  stream(use: (stream: EventStream) => unknown, options?: StreamOptions): unknown;
  /** Answers with text. Return what it returns. */
  answer(status: number, text: string): unknown;
  setHeader(name: string, value: string): void;
  /** Adds a header beside others of its name. */
  appendHeader(name: string, value: string): void;
  readBody(): Promise<string>;
}

export type Handler = (context: Context) => unknown;

/** How a framework is put on a real server. */
export interface Mount {
  name: string;
  http2?: boolean;
  /** Of every hub. */
  hub?: HubOptions;
  /** Serves `handler` at every path; an error it throws, or rejects with, is answered with a 500. */
  serve(hub: Hub, handler: Handler): Promise<Running>;
}
