/** Characters of a body, or of an event's data, that an error shows. */
export const SHOWN = 200;

/** One event, as a browser would dispatch it. */
export interface ReceivedEvent<T = unknown> {
  /** Its name: `message` if it was sent without one. */
  event: string;
  /** As it was sent: what a server gives as an object is JSON here. */
  data: string;
  /** Absent if it was sent without one. */
  id?: string;
  /**
   * The data, parsed. Not enumerable: to be compared, an event is its fields.
   *
   * @throws {Error} it is no JSON; the `cause` says why.
   */
  json(): T;
}

/** A comment, which no client dispatches. */
export interface ReceivedComment {
  /** Its text; '' for a heartbeat. */
  comment: string;
}

/** What a stream can consist of. */
export type ReceivedItem = ReceivedEvent | ReceivedComment;

export function receivedEvent(event: string, data: string, id: string | undefined): ReceivedEvent {
  const fields = id === undefined ? { event, data } : { event, data, id };
  return Object.defineProperty(fields, 'json', { value: parse }) as ReceivedEvent;
}

function parse(this: ReceivedEvent): unknown {
  try {
    return JSON.parse(this.data);
  } catch (cause) {
    throw new Error(`the data is no JSON: ${show(this)}`, { cause });
  }
}

/** The last of some events, for an error. */
export function soFar(events: readonly ReceivedEvent[]): string {
  if (events.length === 0) return 'got no event before';
  const shown = events.slice(-5).map(show).join(', ');
  return events.length > 5 ? `got ${events.length}, at last: ${shown}` : `got these: ${shown}`;
}

/** An event, for an error. */
export function show({ event, data }: ReceivedEvent): string {
  return `${event} ${data.length > SHOWN ? `${data.slice(0, SHOWN)}…` : data}`.trimEnd();
}
