import type { Connection } from '../connection/connection.ts';
import { compare } from '../position.ts';
import type { RelayedEvent } from './messages.ts';
import type { Parts } from './parts.ts';
import { type Reception, WITHOUT_IDS } from './reception.ts';

/** The tab with the connection. No callback is called after `close()`. */
interface Owner {
  /** An event has arrived. This tab may have received it before. */
  arrived(event: RelayedEvent): void;
  stateChanged(connection: Connection): void;
  /** All events of one chunk were received, or the state has changed. */
  readonly advanced: () => void;
}

/** The connection of a tab that leads, or catches up. */
export class OwnConnection {
  readonly connection: Connection;
  /** The position of the connection. */
  at: string;
  #isClosed = false;

  constructor({ createConnection, receiver }: Parts, reception: Reception, position: string, owner: Owner) {
    this.at = position;
    const ifOpen =
      <Args extends unknown[]>(run: (...args: Args) => void) =>
      (...args: Args) => {
        if (!this.#isClosed) run(...args);
      };
    // Checked again after each event, because a listener may close the connection.
    const advance = ifOpen(owner.advanced);
    this.connection = createConnection({
      opened: ifOpen(headers => receiver.opened(headers, this.at)),
      receive: ifOpen(event => {
        // The ids of events increase. A reset has the current position, with any suffix: it can precede or follow a
        // backfill.
        const relayed = { ...event, isNotice: compare(event.id ?? '', this.at) < 1 };
        this.at = event.id || this.at || WITHOUT_IDS;
        owner.arrived(relayed);
        reception.receive(relayed);
      }),
      arrived: ifOpen(at => {
        this.at = at || this.at;
        reception.moveTo(this.at);
        receiver.arrived(this.at);
        advance();
      }),
      stateChanged: ifOpen(() => {
        owner.stateChanged(this.connection);
        advance();
      }),
    });
    this.connection.lastEventId = position;
  }

  close(): void {
    this.#isClosed = true;
    this.connection.close();
  }
}
