/** Maximum number of characters of a body, or of an event's data, in an error message. */
export const SHOWN = 200;

/** One event, as a browser would dispatch it. */
export interface ReceivedEvent<T = unknown> {
  /** The name of the event: `message` if it was sent without a name. */
  event: string;
  /** The data as it was sent. An object that the server passed to Tidings is JSON here. */
  data: string;
  /** The id of the event. Absent if it was sent without an id. */
  id?: string;
  /**
   * Returns the data, parsed from JSON. Not enumerable, so that tests can compare an event with its fields.
   *
   * @throws {Error} the data is not JSON; the `cause` has the reason.
   */
  json(): T;
}

/** An SSE comment. EventSource does not dispatch comments. */
export interface ReceivedComment {
  /** Its text; '' for a heartbeat. */
  comment: string;
}

/** An event or a comment. */
export type ReceivedItem = ReceivedEvent | ReceivedComment;

export function receivedEvent(event: string, data: string, id: string | undefined): ReceivedEvent {
  const fields = id === undefined ? { event, data } : { event, data, id };
  return Object.defineProperty(fields, 'json', { value: parse }) as ReceivedEvent;
}

function parse(this: ReceivedEvent): unknown {
  try {
    return JSON.parse(this.data);
  } catch (cause) {
    throw new Error(`the data is not JSON: ${show(this)}`, { cause });
  }
}

/** The last events, for an error message. */
export function soFar(events: readonly ReceivedEvent[]): string {
  if (events.length === 0) return 'no other event arrived';
  const shown = events.slice(-5).map(show).join(', ');
  return events.length > 5 ? `received ${events.length}, the last ones: ${shown}` : `received: ${shown}`;
}

/** An event, for an error message. */
export function show({ event, data }: ReceivedEvent): string {
  return `${event} ${data.length > SHOWN ? `${data.slice(0, SHOWN)}…` : data}`.trimEnd();
}
