import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { type Broker, createHub, type Presence } from '@tidings/core';
import { gracefulShutdown } from '@tidings/core/node';
import { sse } from '@tidings/express';
import express, { type Response } from 'express';
import type { Store, User } from './store.ts';

interface Channels {
  here: { came: Presence<{ name: string }>; left: Presence };
  [room: `room:${string}`]: { message: { from: string; text: string } };
  [job: `import:${string}`]: { progress: number; done: 'complete' | 'stopped' };
}

export interface BoardOptions {
  broker: Broker;
  store: Store;
  /** Imports into a room. Yields how many rows are done. */
  work: (signal: AbortSignal) => AsyncIterable<number>;
  /** ms for which a user stays in the list after the last tab was closed. Default: 5,000. */
  linger?: number;
}

/** The board of a team: rooms with members, presence, imports. docs/access.md counts the lines of each task. */
export function startBoard({ broker, store, work, linger }: BoardOptions): Server {
  const hub = createHub<Channels, User>({
    broker,
    channels: name => ({ compact: name.startsWith('import:') }),
    presence: { channel: 'here', linger, data: ({ data }) => ({ name: data.name }) },
    authorize: (channel, { data }) => {
      const [kind, room = ''] = channel.split(':');
      return kind === 'here' || store.isMember(room, data.id);
    },
  });
  const app = express();
  app.use(express.json(), sse({ hub }));

  app.post('/login', async (req, res) => {
    const { session } = await store.login(req.body.id, req.body.name);
    res.cookie('session', session, { httpOnly: true, sameSite: 'lax' }).sendStatus(204);
  });

  // Everything else is for users.
  app.use(async (req, res, next) => {
    const session = /(?:^|; )session=([^;]+)/.exec(req.headers.cookie ?? '')?.[1];
    res.locals.user = await store.userOf(session ?? '');
    if (res.locals.user === undefined) res.sendStatus(401);
    else next();
  });
  const userOf = (res: Response) => res.locals.user as User;

  app.post('/logout', async (_req, res) => {
    await store.logout(userOf(res));
    // The user's other sessions reconnect.
    await hub.clients.disconnect(userOf(res).id);
    res.sendStatus(204);
  });

  app.get('/events', async (_req, res) => {
    const user = userOf(res);
    // First, so that a change of the rooms while the store is asked reaches the stream.
    const stream = res.sse({ client: user.id, data: user });
    const rooms = await store.roomsOf(user.id);
    stream.subscribe('here');
    for (const [room, since] of rooms) stream.subscribe(`room:${room}`, { from: { since } });
  });

  async function addMember(room: string, user: string): Promise<void> {
    await store.addMember(room, user, await hub.position());
    await hub.clients.subscribe(user, `room:${room}`);
  }

  app.post('/rooms', async (_req, res) => {
    const room = randomUUID();
    await addMember(room, userOf(res).id);
    res.status(201).json({ room });
  });

  // What is in a room is for its members.
  app.param('room', async (_req, res, next, room: string) => {
    if (await store.isMember(room, userOf(res).id)) next();
    else res.sendStatus(403);
  });

  app.post('/rooms/:room/messages', async (req, res) => {
    await hub.publish(`room:${req.params.room}`, { from: userOf(res).id, text: req.body.text });
    res.sendStatus(204);
  });

  app.put('/rooms/:room/members/:user', async (req, res) => {
    await addMember(req.params.room, req.params.user);
    res.sendStatus(204);
  });

  app.delete('/rooms/:room/members/:user', async (req, res) => {
    await store.removeMember(req.params.room, req.params.user);
    await hub.clients.recheck(req.params.user);
    res.sendStatus(204);
  });

  app.post('/rooms/:room/leave', async (req, res) => {
    await store.removeMember(req.params.room, userOf(res).id);
    await hub.clients.unsubscribe(userOf(res).id, `room:${req.params.room}`);
    res.sendStatus(204);
  });

  app.post('/rooms/:room/imports', (req, res) => {
    const job = randomUUID();
    const channel = hub.channel(`import:${req.params.room}:${job}`);
    void channel.from(work, { event: 'progress', end: false }).then(isComplete => {
      void channel.publish(isComplete ? 'complete' : 'stopped', { event: 'done' });
      void channel.end();
    });
    res.status(201).json({ job });
  });

  app.get('/rooms/:room/imports/:job', (req, res) => {
    const stream = res.sse({ client: userOf(res).id, data: userOf(res) });
    stream.subscribe(`import:${req.params.room}:${req.params.job}`);
  });

  app.post('/rooms/:room/imports/:job/stop', async (req, res) => {
    await hub.channel(`import:${req.params.room}:${req.params.job}`).stop();
    res.sendStatus(204);
  });

  const server = app.listen(0, '127.0.0.1');
  gracefulShutdown(server, hub);
  return server;
}
