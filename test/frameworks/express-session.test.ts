import { createHub } from '@tidings/core';
import { sse } from '@tidings/express';
import express, { type Request } from 'express';
import session from 'express-session';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';

declare module 'express-session' {
  interface SessionData {
    user: string;
    lastSeen: number;
  }
}

const save = (req: Request) =>
  new Promise<void>((resolve, reject) => req.session.save(error => (error ? reject(error) : resolve())));

/** What a handler does before it opens a stream, and whether its session is safe from being saved again. */
const handlers: Record<string, (req: Request) => unknown> = {
  '/nothing': () => {},
  '/writes': req => {
    req.session.lastSeen = 1;
  },
  '/writes-and-saves': async req => {
    req.session.lastSeen = 1;
    await save(req);
  },
  '/takes-off': req => {
    req.session.lastSeen = 1;
    delete (req as Partial<Request>).session;
  },
};

describe.each([false, true])('express-session with resave: %s', resave => {
  const hub = createHub();
  let server: Running;
  beforeAll(async () => {
    const app = express();
    app.use(session({ secret: 'a secret', resave, saveUninitialized: false }));
    app.use(sse({ hub }));
    app.post('/login', (req, res) => {
      req.session.user = 'ann';
      res.sendStatus(204);
    });
    app.post('/logout', async (req, res) => {
      const { user } = req.session;
      await new Promise(resolve => req.session.destroy(resolve));
      await hub.clients.disconnect(user ?? '');
      res.sendStatus(204);
    });
    app.get('/user', (req, res) => {
      res.send(req.session.user ?? 'nobody');
    });
    app.get('/*path', async (req, res) => {
      const { user } = req.session;
      await handlers[req.path]?.(req);
      res.sse({ client: user });
    });
    server = await listen(app);
  });
  afterAll(() => server.kill());

  /** Logs in, opens a stream, logs out, and returns who is logged in when the stream has ended. */
  async function userAfterLogout(path: string): Promise<string> {
    const login = await request(server.origin, '/login', { method: 'POST' });
    const cookie = login.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    const stream = await request(server.origin, path, { headers: { cookie } });
    await request(server.origin, '/logout', { method: 'POST', headers: { cookie } });
    await stream.ended;
    const user = await request(server.origin, '/user', { headers: { cookie } });
    await user.ended;
    return user.text;
  }

  it.each(['/writes-and-saves', '/takes-off'])('does not log in again after a logout: %s', async path => {
    expect(await userAfterLogout(path)).toBe('nobody');
  });

  // These two are why the documentation asks for more.
  it(`${resave ? 'logs in' : 'does not log in'} again when a stream ends`, async () => {
    expect(await userAfterLogout('/nothing')).toBe(resave ? 'ann' : 'nobody');
  });

  it('logs in again when a stream ends whose handler has changed the session', async () => {
    expect(await userAfterLogout('/writes')).toBe('ann');
  });
});
