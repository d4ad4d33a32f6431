import { createParser, type EventSourceMessage, type EventSourceParser } from 'eventsource-parser';
import { type ReceivedEvent, type ReceivedItem, receivedEvent } from './received-event.ts';

/** Everything that a client has received on all of its connections. */
export class Received {
  readonly events: ReceivedEvent[] = [];
  readonly comments: string[] = [];
  /** Events and comments, in the order of their arrival. */
  readonly items: ReceivedItem[] = [];
  /** The last reconnection time from the server, in ms. Undefined: none. */
  retry: number | undefined;
  lastEventId: string;

  constructor(lastEventId: string) {
    this.lastEventId = lastEventId;
  }

  /** Creates the parser of one response. */
  parser(): EventSourceParser {
    return createParser({
      onEvent: message => this.#take(message),
      onComment: comment => {
        this.comments.push(comment);
        this.items.push({ comment });
      },
      onRetry: retry => {
        this.retry = retry;
      },
    });
  }

  #take({ event = 'message', data, id }: EventSourceMessage): void {
    this.lastEventId = id ?? this.lastEventId;
    // A position marker, which has no data.
    if (event === 'tidings' && data === '') return;
    const received = receivedEvent(event, data, id);
    this.events.push(received);
    this.items.push(received);
  }
}
