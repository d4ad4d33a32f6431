/** The current state of one stream. */
export interface StreamStats {
  /** The id of the stream, if `stream.id` was read before: the first read assigns the id. */
  id: string | undefined;
  /** When it was opened, in ms since 1970. Accurate to one second. */
  openedAt: number;
  /** The channels that it is subscribed to. */
  channels: string[];
  /** The id up to which the stream has received all events of its channels; undefined without channels. */
  position: string | undefined;
  /** Events of its channels that its client has not received yet, before filters; 0 if it is not a slow consumer. */
  lagEvents: number;
  /** Age of the oldest of these events, in ms. Accurate to about 500 ms, the precision of the hub's clock. */
  lagAge: number;
  /** Bytes that are buffered in this process until the client reads. */
  bufferedBytes: number;
  /** The path and query of the request, if the transport provides them. They may contain a token. */
  url: string | undefined;
  /** `HTTP/1.1`, `HTTP/2.0`, or `fetch` for a web Request, if the transport provides it. */
  protocol: string | undefined;
}
