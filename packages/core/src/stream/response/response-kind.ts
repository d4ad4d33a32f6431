/** What the method of a request and the options of a stream mean for its response. */
export interface ResponseKind {
  /** The client stores ids and reconnects, as an EventSource does. */
  readonly isGet: boolean;
  /** The response has a body. */
  readonly hasBody: boolean;
  /**
   * GET or HEAD: the client reconnects when the response has ended. The client of any other request treats a proper end
   * as a complete response.
   */
  readonly isRepeatable: boolean;
  /** The client receives events that the application has not sent: markers, resets, reconnection times. */
  readonly hasMarkers: boolean;
}

/** One shared object for each kind, so that a stream needs one reference instead of four fields. */
const kinds = [true, false].map(hasMarkers => ({
  GET: { isGet: true, hasBody: true, isRepeatable: true, hasMarkers },
  HEAD: { isGet: false, hasBody: false, isRepeatable: true, hasMarkers },
  other: { isGet: false, hasBody: true, isRepeatable: false, hasMarkers },
}));

export function responseKind(method: string, hasMarkers = true): ResponseKind {
  const [withMarkers, without] = kinds as [(typeof kinds)[0], (typeof kinds)[0]];
  const byMethod = hasMarkers ? withMarkers : without;
  return method === 'GET' || method === 'HEAD' ? byMethod[method] : byMethod.other;
}
