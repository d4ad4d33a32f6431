/** What one stream is and does now. */
export interface StreamStats {
  /** The id of the stream, if `stream.id` was read before. A stream gets its id then. */
  id: string | undefined;
  /** When it was opened: ms since 1970, to within a second. */
  openedAt: number;
  /** The channels that it is subscribed to. */
  channels: string[];
  /** The id up to which it has received everything of its channels; undefined without any. */
  position: string | undefined;
  /** Events of its channels that its client has yet to receive, before filters; 0 while it keeps up. */
  lagEvents: number;
  /** ms: the age of the oldest of these events, to within the precision of the hub's clock (about 500 ms). */
  lagAge: number;
  /** Bytes that are buffered in this process until the client reads. */
  bufferedBytes: number;
  /** The path and query of the request, if the transport knows. It may have a token in it. */
  url: string | undefined;
  /** `HTTP/1.1`, `HTTP/2.0`, or `fetch` for a web Request; if the transport knows. */
  protocol: string | undefined;
}
