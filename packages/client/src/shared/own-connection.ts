import type { Connection } from '../connection/connection.ts';
import { compare } from '../position.ts';
import type { RelayedEvent } from './messages.ts';
import type { Parts } from './parts.ts';
import { type Reception, WITHOUT_IDS } from './reception.ts';

/** The tab whose connection it is. Nothing is called after `close()`. */
interface Owner {
  /** An event has arrived, perhaps one that this tab has received before. */
  arrived(event: RelayedEvent): void;
  stateChanged(connection: Connection): void;
  /** What has arrived together has been received; or the state has changed. */
  readonly advanced: () => void;
}

/** The connection of a tab that leads, or catches up. */
export class OwnConnection {
  readonly connection: Connection;
  /** Where it is. */
  at: string;
  #isClosed = false;

  constructor({ createConnection, receiver }: Parts, reception: Reception, position: string, owner: Owner) {
    this.at = position;
    const ifOpen =
      <Args extends unknown[]>(run: (...args: Args) => void) =>
      (...args: Args) => {
        if (!this.#isClosed) run(...args);
      };
    // A listener may close it.
    const advance = ifOpen(owner.advanced);
    this.connection = createConnection({
      opened: ifOpen(headers => receiver.opened(headers, this.at)),
      receive: ifOpen(event => {
        // Events ascend. Suffixes may differ: a reset can come before or after older events.
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
