import type { Child } from '../support/child.ts';
import { type Client, eventually, request } from '../support/client.ts';

/** A user's session. It is valid in every process. */
export class Session {
  readonly id: string;
  readonly #cookie: string;

  private constructor(id: string, cookie: string) {
    this.id = id;
    this.#cookie = cookie;
  }

  static async login(node: Child, id: string): Promise<Session> {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ id, name: id.toUpperCase() });
    const response = await fetch(`${node.origin}/login`, { method: 'POST', headers, body });
    return new Session(id, response.headers.getSetCookie()[0]?.split(';')[0] ?? '');
  }

  /** @returns the body of the response. Rejects if its status is an error. */
  async call(node: Child, method: string, path: string, data: object = {}): Promise<Record<string, string>> {
    const headers = { 'content-type': 'application/json', cookie: this.#cookie };
    const body = JSON.stringify(data);
    const response = await fetch(node.origin + path, { method, headers, body });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
    return response.status === 204 ? {} : ((await response.json()) as Record<string, string>);
  }

  /** Creates a room, with other users as members. */
  async room(node: Child, ...members: Session[]): Promise<string> {
    const { room } = await this.call(node, 'POST', '/rooms');
    for (const { id } of members) await this.call(node, 'PUT', `/rooms/${room}/members/${id}`);
    return room as string;
  }

  async post(node: Child, room: string, text: string): Promise<void> {
    await this.call(node, 'POST', `/rooms/${room}/messages`, { text });
  }

  /** One response. */
  open(node: Child, path: string, lastEventId?: string): Promise<Client> {
    const id = lastEventId === undefined ? undefined : { 'last-event-id': lastEventId };
    return request(node.origin, path, { headers: { ...id, cookie: this.#cookie } });
  }

  /** Opens the page of the board. Resolves when it has the list of users, with its own user. */
  async board(node: Child): Promise<Page> {
    const page = new Page(this, node, '/events');
    await eventually(() => page.dataOf<{ client: string }>('came').some(({ client }) => client === this.id));
    return page;
  }

  /** Opens the page of an import. Resolves when it shows progress. */
  async progress(node: Child, room: string, job: string): Promise<Page> {
    const page = new Page(this, node, `/rooms/${room}/imports/${job}`);
    await eventually(() => page.dataOf('progress').length > 0);
    return page;
  }
}

/** A page with an EventSource: it reconnects with the last id, until the response is none of a stream. */
export class Page {
  /** Where it connects next. */
  node: Child;
  readonly #clients: Client[] = [];
  #isClosed = false;
  readonly #read: Promise<void>;

  constructor(session: Session, node: Child, path: string) {
    this.node = node;
    this.#read = this.#follow(session, path);
  }

  async #follow(session: Session, path: string): Promise<void> {
    while (!this.#isClosed) {
      const client = await session.open(this.node, path, this.lastId);
      this.#clients.push(client);
      if (client.status !== 200) return;
      await client.ended;
    }
  }

  get events(): Client['events'] {
    return this.#clients.flatMap(({ events }) => events);
  }

  /** The status of each response. */
  get statuses(): number[] {
    return this.#clients.map(({ status }) => status);
  }

  /** What the EventSource stores. */
  get lastId(): string | undefined {
    return this.idOf(() => true);
  }

  /** The id of the last event for which this holds. */
  idOf(condition: (data: string) => boolean): string | undefined {
    return this.events.findLast(({ id, data }) => id !== undefined && condition(data))?.id;
  }

  /** The data of the events of a name, as it was sent. */
  textsOf(name: string): string[] {
    return this.events.filter(({ event }) => event === name).map(({ data }) => data);
  }

  /** The data of the events of a name. */
  dataOf<T = unknown>(name: string | undefined): T[] {
    return this.events.filter(({ event }) => event === name).map(({ data }) => JSON.parse(data));
  }

  get messages(): string[] {
    return this.dataOf<{ text: string }>(undefined).map(({ text }) => text);
  }

  /** Resolves when it has received a message. */
  has(text: string): Promise<void> {
    return eventually(() => this.messages.includes(text));
  }

  /** Resolves when it does not reconnect any more. */
  over(): Promise<void> {
    return this.#read;
  }

  close(): void {
    this.#isClosed = true;
    this.#clients.at(-1)?.reset();
  }
}
