/** The parts of a request that a stream needs. */
export interface StreamRequest {
  method: string;
  /** Absolute or relative. Only the query is read. */
  url: string;
  /** The `Last-Event-ID` header as the HTTP library gives it: each character one byte, or decoded as UTF-8. */
  lastEventId?: string | null | undefined;
  /**
   * The `Accept-Encoding` header. Leave it out if other code encodes the response. Default: none, the stream is not
   * compressed.
   */
  acceptEncoding?: string | null | undefined;
}

/**
 * The id of the last event that the client has received. The header takes precedence over the query parameter
 * `lastEventId`, which is for clients that cannot set headers and for pages that have a position before they connect.
 */
export function readLastEventId({ url, lastEventId }: StreamRequest): string | undefined {
  if (lastEventId) return decodeHeader(lastEventId);
  const query = url.indexOf('?');
  if (query === -1 || !url.includes('lastEventId=', query)) return undefined;
  const id = new URLSearchParams(url.slice(query)).get('lastEventId');
  // No client can have received an id with a line break or NUL.
  return id && !/[\r\n\0]/.test(id) ? id : undefined;
}

/** Ids are sent as UTF-8 (WHATWG HTML 9.2.3). HTTP libraries return each byte as a character; workerd decodes UTF-8. */
function decodeHeader(value: string): string {
  if (/[\u0100-\uffff]/.test(value)) return value;
  try {
    const bytes = Uint8Array.from(value, character => character.charCodeAt(0));
    return new TextDecoder('utf-8', { ignoreBOM: true, fatal: true }).decode(bytes);
  } catch {
    return value;
  }
}
