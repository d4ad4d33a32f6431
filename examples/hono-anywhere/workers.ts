import { createApp } from './app.ts';
import design from './design.css';
import page from './page.html';
import readme from './README.md';

/** The hub lives in a Durable Object: elsewhere on Workers, one request cannot write to the stream of another. */
export class Room {
  fetch = createApp('Workers', { page, design, readme }).app.fetch;
}

interface Env {
  ROOM: { getByName(name: string): { fetch: typeof fetch } };
}

export default {
  fetch: (request: Request, env: Env) => env.ROOM.getByName('everybody').fetch(request),
};
