import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';

export interface User {
  id: string;
  name: string;
  /** The cookie. */
  session: string;
}

/** The database of the board: sessions, and the members of rooms. All processes share it. */
export class Store {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async login(id: string, name: string): Promise<User> {
    const user = { id, name, session: randomUUID() };
    await this.#redis.hset('sessions', user.session, JSON.stringify(user));
    return user;
  }

  async userOf(session: string): Promise<User | undefined> {
    const user = await this.#redis.hget('sessions', session);
    return user === null ? undefined : JSON.parse(user);
  }

  async logout({ session }: User): Promise<void> {
    await this.#redis.hdel('sessions', session);
  }

  /** @param since the position of the hub: the user cannot have followed the room before. */
  async addMember(room: string, user: string, since: string): Promise<void> {
    await this.#redis.hset(`rooms of ${user}`, room, since);
  }

  async removeMember(room: string, user: string): Promise<void> {
    await this.#redis.hdel(`rooms of ${user}`, room);
  }

  async isMember(room: string, user: string): Promise<boolean> {
    return (await this.#redis.hexists(`rooms of ${user}`, room)) === 1;
  }

  /** The rooms of a user, each with the position at which the user was added. */
  async roomsOf(user: string): Promise<[room: string, since: string][]> {
    return Object.entries(await this.#redis.hgetall(`rooms of ${user}`));
  }
}
