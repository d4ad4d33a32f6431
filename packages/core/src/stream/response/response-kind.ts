/** What the method of a request and the options of a stream mean for its response. */
export interface ResponseKind {
  /** The client stores ids and reconnects, as an EventSource does. */
  readonly isGet: boolean;
  /** The response has a body. */
  readonly hasBody: boolean;
  /**
   * GET or HEAD: a client asks again when the response has ended. A client of any other request takes a proper end for
   * the end of the answer.
   */
  readonly isRepeatable: boolean;
  /** The client receives events that the application has not sent: markers, resets, reconnection times. */
  readonly hasMarkers: boolean;
}

/** One object for each kind: a stream has a reference to it and no fields of its own. */
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
