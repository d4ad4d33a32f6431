import { createParser, type EventSourceMessage, type EventSourceParser } from 'eventsource-parser';
import { type ReceivedEvent, type ReceivedItem, receivedEvent } from './received-event.ts';

/** All that a client has been given, in all of its connections. */
export class Received {
  readonly events: ReceivedEvent[] = [];
  readonly comments: string[] = [];
  /** Events and comments, in the order of their arrival. */
  readonly items: ReceivedItem[] = [];
  /** Ms; undefined: the server has not said. */
  retry: number | undefined;
  lastEventId: string;

  constructor(lastEventId: string) {
    this.lastEventId = lastEventId;
  }

  /** Takes what one response says. */
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
    // A marker: it has an id to give, and nothing to say.
    if (event === 'tidings' && data === '') return;
    const received = receivedEvent(event, data, id);
    this.events.push(received);
    this.items.push(received);
  }
}
