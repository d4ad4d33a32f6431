import { afterAll, beforeAll, expect, it } from 'vitest';
import { REDIS, RedisServer } from '../brokers/redis-server.ts';
import { type Child, start } from '../support/child.ts';
import { eventually } from '../support/client.ts';
import { describeWith } from '../support/system.ts';
import { type Page, Session } from './page.ts';

const node = new URL('node.ts', import.meta.url);

/** Who came (+) and left (-), of these users, as a page was told. */
const changesOf = (page: Page, ...users: string[]) =>
  page.events
    .filter(({ event }) => event === 'came' || event === 'left')
    .map(({ event, data }) => ({ sign: event === 'came' ? '+' : '-', client: JSON.parse(data).client }))
    .filter(({ client }) => users.includes(client))
    .map(({ sign, client }) => sign + client);

describeWith(REDIS, 'the board, in two processes', () => {
  let redis: RedisServer;
  let a: Child;
  let b: Child;
  const started: Child[] = [];
  async function startNode(): Promise<Child> {
    const child = await start(node, redis.url);
    started.push(child);
    return child;
  }
  beforeAll(async () => {
    redis = await RedisServer.start();
    [a, b] = await Promise.all([startNode(), startNode()]);
  });
  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL');
    await redis?.remove();
  });

  /** Logs users in. Each name is used by one test: all are in one list. */
  const login = (...names: string[]) => Promise.all(names.map(name => Session.login(a, name)));

  it('changes the rooms of an open page from another process', async () => {
    const [ann, bob] = (await login('ann', 'bob')) as [Session, Session];
    const hall = await bob.room(a, ann);
    const lobby = await bob.room(a, ann);
    const plan = await bob.room(a);
    const page = await ann.board(b);
    await bob.post(a, plan, 'before');
    await bob.call(a, 'PUT', `/rooms/${plan}/members/ann`);
    await bob.post(a, plan, 'as a member');
    await page.has('as a member');
    await bob.call(a, 'DELETE', `/rooms/${plan}/members/ann`);
    await bob.post(a, plan, 'after');
    await bob.post(a, hall, 'in the hall');
    await page.has('in the hall');
    expect(page.dataOf('revoked')).toEqual([{ channels: [`room:${plan}`] }]);
    await ann.call(a, 'POST', `/rooms/${hall}/leave`);
    await bob.post(a, hall, 'after');
    await bob.post(a, lobby, 'in the lobby');
    await page.has('in the lobby');
    expect(page.messages).toEqual(['as a member', 'in the hall', 'in the lobby']);
    expect(page.dataOf('revoked')).toHaveLength(1);
    expect(page.statuses).toEqual([200]);
    page.close();
  });

  it('stops an import from another process', async () => {
    const [carl] = (await login('carl')) as [Session];
    const room = await carl.room(a);
    const { job = '' } = await carl.call(a, 'POST', `/rooms/${room}/imports`);
    const pages = await Promise.all([a, b].map(each => carl.progress(each, room, job)));
    await carl.call(b, 'POST', `/rooms/${room}/imports/${job}/stop`);
    for (const page of pages) {
      await page.over();
      expect(page.textsOf('done')).toEqual(['stopped']);
      expect(page.events.findLast(({ event }) => event !== 'tidings')?.event).toBe('done');
      expect(page.statuses).toEqual([200, 204]);
    }
  });

  it('lists users with two tabs once, also when they reload', async () => {
    const [dora, emil, fred, gast] = (await login('dora', 'emil', 'fred', 'gast')) as [
      Session,
      Session,
      Session,
      Session,
    ];
    const watching = await gast.board(b);
    const open = () => Promise.all([dora, emil].flatMap(user => [user.board(a), user.board(b)]));
    for (let round = 0; round < 3; round++) {
      const tabs = await open();
      for (const tab of tabs) tab.close();
    }
    const tabs = await open();
    // When `fred` has left twice, the others would have left, whichever process had them.
    for (const times of [1, 2]) {
      (await fred.board(a)).close();
      await eventually(() => changesOf(watching, 'fred').filter(each => each === '-fred').length === times);
    }
    expect(changesOf(watching, 'dora', 'emil').sort()).toEqual(['+dora', '+emil']);
    expect(watching.dataOf('came')).toContainEqual({ client: 'dora', data: { name: 'DORA' } });
    for (const tab of [watching, ...tabs]) tab.close();
  });

  it('ends only the page of a session that was logged out in another process', async () => {
    const [here, there] = (await login('hana', 'hana')) as [Session, Session];
    const room = await here.room(a);
    const [ended, other] = await Promise.all([here.board(b), there.board(b)]);
    await here.call(a, 'POST', '/logout');
    await there.post(a, room, 'after');
    await other.has('after');
    await ended.over();
    expect(ended.statuses).toEqual([200, 401]);
    expect(other.statuses).toEqual([200, 200]);
    expect(ended.messages).toEqual([]);
    other.close();
  });

  it('loses no event when a process is shut down', async () => {
    const [ida, jan] = (await login('ida', 'jan')) as [Session, Session];
    const c = await startNode();
    const room = await jan.room(b, ida);
    const boards = await Promise.all([ida.board(c), ida.board(c), jan.board(b)]);
    const { job = '' } = await jan.call(c, 'POST', `/rooms/${room}/imports`);
    const jobs = await Promise.all([ida.progress(c, room, job), jan.progress(b, room, job)]);
    for (const page of [...boards, ...jobs]) page.node = b;
    const texts = Array.from({ length: 30 }, (_, index) => `message ${index}`);
    for (const text of texts) {
      if (text === texts[10]) c.kill('SIGTERM');
      await jan.post(b, room, text);
    }
    expect(await c.ended).toBe(0);
    await jan.post(b, room, 'last');
    for (const page of boards) {
      await page.has('last');
      expect(page.messages).toEqual([...texts, 'last']);
      expect(page.dataOf('reset')).toEqual([]);
      expect(changesOf(page, 'ida', 'jan').sort()).toEqual(['+ida', '+jan']);
    }
    expect(boards.map(({ statuses }) => statuses)).toEqual([[200, 200], [200, 200], [200]]);
    for (const page of jobs) {
      await page.over();
      expect(page.textsOf('done')).toEqual(['stopped']);
      expect(page.statuses.at(-1)).toBe(204);
    }
    for (const page of boards) page.close();
  });

  it.each(['', '~', '.', '9'])(
    'discloses nothing to a user with the id of another, followed by "%s"',
    async suffix => {
      const [kim, lea] = (await login(`kim${suffix}`, `lea${suffix}`)) as [Session, Session];
      const secret = await kim.room(a);
      const hall = await kim.room(a, lea);
      const page = await kim.board(a);
      await kim.post(a, secret, 'of kim');
      await kim.post(a, hall, 'for both');
      await kim.post(a, secret, 'also of kim');
      await page.has('also of kim');
      const id = page.idOf(data => data.includes('"of kim"')) ?? '';
      const client = await lea.open(b, '/events', id + suffix);
      await kim.post(a, secret, 'of kim, later');
      await kim.post(a, hall, 'end');
      await client.until(({ text }) => text.includes('"end"'));
      expect(client.text).not.toMatch(new RegExp(`${secret}|of kim`));
      const resets = client.events.filter(({ event }) => event === 'reset').map(({ data }) => data);
      const channels = resets.flatMap(data => JSON.parse(data).channels as string[]);
      expect(channels.filter(name => !['here', `room:${hall}`].includes(name))).toEqual([]);
      // An id that is not of the log: a reset takes its place.
      if (suffix !== '9') expect(client.text).toContain('for both');
      client.reset();
      page.close();
    },
  );
});
