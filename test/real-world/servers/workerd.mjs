// One request may not write to the stream of another on workerd, unless both are in one Durable Object.
import server from 'server';

export class Room {
  fetch = server.fetch;
}

export default { fetch: (request, env) => env.ROOM.getByName('everybody').fetch(request) };
