import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bodyParser } from '@koa/bodyparser';
import Router from '@koa/router';
import { createHub, type EventStream, type Presence } from '@tidings/core';
import { gracefulShutdown } from '@tidings/core/node';
import { sse } from '@tidings/koa';
import { sqliteBroker } from '@tidings/sqlite';
import Koa, { type Context } from 'koa';
import serve from 'koa-static';
import { addPost, claimName, cookieKey, db, latestMentions, latestPosts, type Post } from './store.ts';

const port = Number(process.env.PORT ?? 3000);
const host = process.env.HOST ?? '127.0.0.1';
const rooms = ['lobby', 'garden', 'kitchen'];
/** Characters of a post. */
const longest = 280;

/** What is published where: by channel, by event. */
interface Channels {
  [room: `room:${string}`]: { post: Post };
  [user: `user:${string}`]: { mention: Post };
  here: { came: Presence; left: Presence };
}

// Who has been away for less than an hour is given what was posted meanwhile. Else, and at first, it is given the
// snapshot: what the database has.
const hub = createHub<Channels>({
  broker: sqliteBroker({ database: db }),
  presence: { channel: 'here' },
  channels: channel => {
    const [kind, name = ''] = channel.split(':');
    const snapshot = () =>
      kind === 'room' ? { posts: latestPosts(name) } : { mentions: latestMentions(name) };
    return { snapshot, history: { events: 1_000, age: 60 * 60_000 } };
  },
});

const router = new Router();

router.get('/readme', ctx => {
  ctx.body = readFileSync(new URL('README.md', import.meta.url), 'utf8');
});

router.post('/login', ctx => {
  const name = textOf(ctx, 'name');
  if (!/^[a-z]\w{1,19}$/.test(name) || name !== name.toLowerCase()) {
    ctx.throw(400, 'A name has 2 to 20 letters (a to z), digits and _, and begins with a letter.');
  }
  // Nobody else can have it: the cookie is the only proof.
  if (!claimName(name)) ctx.throw(409, `${name} is taken: choose another name.`);
  ctx.cookies.set('name', name, { signed: true, sameSite: 'lax', maxAge: 365 * 24 * 60 * 60_000 });
  ctx.status = 204;
});

router.get('/rooms/:room', ctx => {
  ctx.body = { name: userOf(ctx), room: roomOf(ctx), rooms, longest };
});

// The channel of mentions is that of the cookie's owner: nobody can ask for another's.
router.get('/rooms/:room/events', ctx => {
  const [name, room] = [userOf(ctx), roomOf(ctx)];
  const stream = ctx.sse({ client: name, retry: 1_000 });
  stream.subscribe([`room:${room}`, `user:${name}`, 'here']);
  stream.send(stream.id, { event: 'stream' });
});

router.post('/rooms/:room/posts', ctx => {
  const [author, room] = [userOf(ctx), roomOf(ctx)];
  const text = textOf(ctx, 'text')
    .trim()
    .replace(/\n\s*\n/g, '\n\n');
  if (text === '') ctx.throw(400, 'A post says something.');
  if (text.length > longest) ctx.throw(400, `A post has at most ${longest} characters.`);
  // Stored first, and published in the same turn: so the order is the same. A page that is sent a snapshot in between is
  // sent the post twice, and shows it once.
  const { post, mentioned } = addPost(room, author, text);
  hub.publish(`room:${room}`, post, { event: 'post', except: streamOf(ctx, author) });
  for (const name of mentioned) hub.publish(`user:${name}`, post, { event: 'mention' });
  ctx.status = 201;
  ctx.body = post;
});

const app = new Koa({ keys: [process.env.COOKIE_KEY ?? cookieKey()] });
app.use(sse({ hub }));
app.use(sse.client());
app.use(serve(fileURLToPath(new URL('public', import.meta.url))));
app.use(
  bodyParser({
    enableTypes: ['json'],
    jsonLimit: '8kb',
    onError: ({ message }, ctx) => ctx.throw(400, `Send JSON of at most 8 kB: ${message}.`),
  }),
);
app.use(router.routes());
// Koa would print every page that leaves without a goodbye.
app.on('error', error => {
  if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') app.onerror(error);
});

function userOf(ctx: Context): string {
  // Undefined if the signature is not ours; without the option, nobody would look at it.
  const name = ctx.cookies.get('name', { signed: true });
  if (name === undefined) ctx.throw(401, 'Choose a name first.');
  return name;
}

function roomOf(ctx: Context & { params: { room?: string } }): string {
  const room = rooms.find(room => room === ctx.params.room);
  if (room === undefined) ctx.throw(404, 'There is no such room.');
  return room;
}

function textOf(ctx: Context, field: string): string {
  const value: unknown = (ctx.request.body as Record<string, unknown> | undefined)?.[field];
  if (typeof value !== 'string') ctx.throw(400, `Send JSON with a text named "${field}".`);
  // What cannot be UTF-8 would be another text in the database.
  return value.toWellFormed().replaceAll('\0', '');
}

/** The stream of the tab that posts: its own, or somebody else would miss the post. */
function streamOf(ctx: Context, author: string): EventStream | undefined {
  const { stream: id } = ctx.request.body as { stream?: unknown };
  return [...hub.clients.get(author)].find(stream => stream.id === id);
}

const server = app.listen(port, host, () => console.log(`Timeline: http://${host}:${port}`));
server.on('error', error => {
  console.error(`Cannot listen: ${error.message}. Set PORT to another port.`);
  process.exit(1);
});

gracefulShutdown(server, hub, { within: 5_000, retry: [1_000, 3_000] });
