import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import Database from 'libsql';

export interface Post {
  id: number;
  room: string;
  author: string;
  text: string;
  /** Ms since 1970. */
  at: number;
}

/** Posts and mentions that a page is given to begin with. */
const SHOWN = 50;

/** The hub stores its events in the same file. */
export const db = new Database(
  process.env.DATABASE ?? fileURLToPath(new URL('timeline.db', import.meta.url)),
);
db.exec(`
  CREATE TABLE IF NOT EXISTS keys (key TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY) STRICT;
  CREATE TABLE IF NOT EXISTS posts (
    id INTEGER PRIMARY KEY, room TEXT NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL, at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS posts_of_room ON posts (room, id);
  CREATE TABLE IF NOT EXISTS mentions (user TEXT, post INTEGER, PRIMARY KEY (user, post)) STRICT, WITHOUT ROWID;
`);

/** What cookies are signed with: the same after a restart, so that nobody has to log in again. */
export function cookieKey(): string {
  db.prepare('INSERT INTO keys SELECT ? WHERE NOT EXISTS (SELECT * FROM keys)').run(
    randomBytes(32).toString('base64'),
  );
  const [row] = db.prepare('SELECT key FROM keys').all() as [{ key: string }];
  return row.key;
}

/** False: somebody has it already. */
export function claimName(name: string): boolean {
  return db.prepare('INSERT OR IGNORE INTO users VALUES (?)').run(name).changes === 1;
}

/** Stores a post, and says which users it mentions. */
export const addPost = db.transaction((room: string, author: string, text: string) => {
  const at = Date.now();
  const insert = db.prepare('INSERT INTO posts (room, author, text, at) VALUES (?, ?, ?, ?)');
  const post: Post = {
    id: Number(insert.run(room, author, text, at).lastInsertRowid),
    room,
    author,
    text,
    at,
  };
  const mention = db.prepare('INSERT INTO mentions SELECT name, ? FROM users WHERE name = ? AND name <> ?');
  const names = new Set(Array.from(text.toLowerCase().matchAll(/(?<!\w)@(\w+)/g), ([, name]) => name));
  const mentioned = [...names].filter(name => mention.run(post.id, name, author).changes === 1) as string[];
  return { post, mentioned };
});

/** The newest, oldest first. */
export function latestPosts(room: string): Post[] {
  const select = db.prepare('SELECT * FROM posts WHERE room = ? ORDER BY id DESC LIMIT ?');
  return (select.all(room, SHOWN) as Post[]).reverse();
}

/** Posts that mention a user, the newest, oldest first. */
export function latestMentions(user: string): Post[] {
  const select = db.prepare(
    'SELECT posts.* FROM mentions JOIN posts ON id = post WHERE user = ? ORDER BY id DESC LIMIT ?',
  );
  return (select.all(user, SHOWN) as Post[]).reverse();
}
