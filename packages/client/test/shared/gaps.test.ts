import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Chance } from '../../../../test/model/chance.ts';
import type { Message, Relay } from '../../src/shared/messages.ts';
import { collect, until } from '../harness.ts';
import { stubBrowser } from './fake-browser.ts';
import { FakeTab } from './fake-tab.ts';
import { id, marker, of, open, relay, relayed, type Setting, TERM, text } from './setting.ts';

beforeAll(stubBrowser);
afterAll(() => void vi.unstubAllGlobals());

describe('a tab that has a connection of its own, and follows the leader again', () => {
  /** The tab is at 13, and lacks `b` after 10: its stream has not been given that. */
  async function catchUp(setting: Setting) {
    setting.lead();
    const events = setting.connect();
    const messages = collect(events);
    const subscribed = setting.subscribe(events, 'b');
    subscribed.catch(() => {});
    await until(() => setting.changes.length === 1);
    setting.streams[0]?.write(text('all', 11) + text('all', 13));
    await until(() => events.lastEventId === id(13));
    return { events, messages, subscribed };
  }

  it('receives the events of a channel that its own stream was not given yet', async () => {
    const setting = await open(id(10));
    const { messages } = await catchUp(setting);
    setting.say(relay(id(10), id(11), [relayed('all', 11)], { isApplied: true }));
    setting.say(relay(id(11), id(13), [relayed('b', 12), relayed('all', 13)], {}));
    setting.say(relay(id(13), id(14), [relayed('b', 14)], {}));
    await until(() => of(messages, 'b').includes(14));
    expect(of(messages, 'b')).toEqual([12, 14]);
    expect(of(messages, 'all')).toEqual([11, 13]);
  });

  it('waits while the leader has removed a channel that it lacks', async () => {
    const setting = await open(id(10));
    const { messages } = await catchUp(setting);
    // Published before the channel was removed.
    setting.say(relay(id(13), id(14), [relayed('b', 14)], { isRemoved: true, isApplied: false }));
    await setting.hasHeard('relay');
    setting.changes[0]?.store(15);
    setting.streams[0]?.write(
      text('all', 15) + marker(id(15, '~')) + text('b', 12, true) + text('b', 14, true),
    );
    setting.streams[0]?.write(marker(id(15)) + text('b', 16));
    await until(() => of(messages, 'b').includes(16));
    expect(of(messages, 'b')).toEqual([12, 14, 16]);
  });

  it('does not receive again what the leader has yet to receive of a backfill', async () => {
    const setting = await open(id(10));
    const { messages, events, subscribed } = await catchUp(setting);
    setting.changes[0]?.store(13);
    await subscribed;
    setting.streams[0]?.write(marker(id(13, '~')) + text('b', 12, true) + marker(id(13)) + text('all', 14));
    await until(() => events.lastEventId === id(14));
    const b = { since: id(5), storedAt: id(13) };
    setting.say(relay(id(13, '~'), id(15), [relayed('b', 12, true), relayed('b', 15)], b));
    await until(() => of(messages, 'b').includes(15));
    expect(of(messages, 'b')).toEqual([12, 15]);
  });
});

describe('a tab that follows', () => {
  /** It is at 10, and has `b` up to there. */
  async function follow(setting: Setting) {
    setting.lead();
    const events = setting.connect();
    const messages = collect(events);
    setting.subscribe(events, 'b').catch(() => {});
    await until(() => setting.heard.some(({ type }) => type === 'joined'));
    setting.say(relay(id(10), id(10), []));
    await until(() => setting.heard.some(({ type }) => type === 'channels'));
    return { events, messages };
  }

  it('lacks what is published after the leader has removed a channel', async () => {
    const setting = await open(id(10));
    const { messages } = await follow(setting);
    setting.say(relay(id(10), id(11), [relayed('all', 11)], { isRemoved: true, isApplied: false }));
    setting.say(relay(id(11), id(13), [relayed('all', 13)], { isRemoved: true, isApplied: false }));
    const b = { since: id(10), storedAt: id(13), hasBackfill: true, isApplied: false };
    setting.say(relay(id(13), id(13, '~'), [relayed('b', 12, true)], b));
    await until(() => of(messages, 'b').length > 0);
    expect(of(messages, 'b')).toEqual([12]);
    expect(setting.streams).toHaveLength(0);
  });

  it('catches up if the leader has a channel from a later position that is not known yet', async () => {
    const setting = await open(id(10));
    const { messages } = await follow(setting);
    const b = { since: '', storedAt: undefined, isApplied: false };
    setting.say(relay(id(10), id(14), [relayed('all', 11), relayed('b', 14)], b));
    await until(() => setting.streams.length === 1);
    expect(of(messages, 'b')).toEqual([]);
  });

  it('catches up if it has ignored what a leader of a lower term has sent', async () => {
    const setting = await open(id(10));
    const { messages } = await follow(setting);
    setting.say(relay(id(10), id(13), [relayed('all', 13)]));
    await until(() => of(messages, 'all').length > 0);
    // The next leader has sent `b` 12 in a relay of a lower term.
    const b = { since: id(10), storedAt: id(11) };
    setting.say({ ...relay(id(13), id(14), [relayed('b', 14)], b), term: TERM + 1 });
    await until(() => setting.streams.length === 1);
    expect(of(messages, 'b')).toEqual([]);
  });
});

describe('a tab that leads', () => {
  it('says that it removes a channel before the server has done so', async () => {
    const setting = await open(id(10));
    const events = setting.connect();
    setting.subscribe(events, 'b').catch(() => {});
    await until(() => setting.changes.length === 1);
    setting.changes[0]?.store(10);
    setting.unsubscribe(events, 'b').catch(() => {});
    await until(() => setting.changes.length === 2);
    setting.streams[0]?.write(text('all', 11));
    const isAt11 = (message: Message): message is Relay =>
      message.type === 'relay' && message.after === id(11);
    await until(() => setting.heard.some(isAt11));
    expect(setting.heard.find(isAt11)?.channels?.get('b')).toMatchObject({
      isRemoved: true,
      isApplied: false,
    });
  });
});

describe('a channel that is subscribed to before there is an id', () => {
  /** The tab follows a leader, at 2, and has told it that it subscribes to `b`. */
  async function announce(setting: Setting) {
    setting.lead();
    const events = setting.connect();
    const subscribed = setting.subscribe(events, 'b');
    await until(() => setting.heard.some(({ type }) => type === 'joined'));
    setting.say({ type: 'elected', term: TERM });
    await until(() => setting.streams.length === 1);
    setting.streams[0]?.write(marker(id(2)));
    setting.say(relay(id(2), id(2), []));
    const announced = () => setting.heard.findLast(message => message.type === 'channels');
    await until(() => announced() !== undefined);
    const { tab = '', version = 0, channels } = announced() ?? {};
    expect(channels).toEqual([['b', '']]);
    return { events, subscribed, tab, version };
  }

  it('begins where the server has stored it, also on the next stream', async () => {
    const setting = await open(undefined);
    const events = setting.connect();
    const subscribed = setting.subscribe(events, 'b');
    await until(() => setting.changes.length === 1);
    setting.changes[0]?.store(5);
    await subscribed;
    setting.site.cut();
    await until(() => setting.changes.length === 2);
    expect(setting.changes.map(({ after }) => after)).toEqual([undefined, id(5)]);
  });

  it('begins where the leader has had it stored, also with the next leader', async () => {
    const setting = await open(undefined);
    const { subscribed, tab, version } = await announce(setting);
    setting.say({ type: 'stored', tab, version, refused: [], positions: [['b', id(5)]] });
    await subscribed;
    setting.others.close();
    await until(() => setting.changes.some(({ after }) => after === id(5)));
  });

  it('waits for its own stream once it has one, whatever the leader has had stored', async () => {
    const setting = await open(undefined);
    const { events, subscribed, tab, version } = await announce(setting);
    const messages = collect(events);
    let isSubscribed = false;
    subscribed.then(() => {
      isSubscribed = true;
    });
    const greetings = () => setting.heard.filter(({ type }) => type === 'joined').length;
    // The tab misses a relay, and has a connection of its own.
    const before = setting.changes.length;
    setting.say({ ...relay(id(9), id(9), []), n: 1_000_000 });
    await until(() => setting.changes.length > before);
    const greeted = greetings();
    setting.say({ type: 'stored', tab, version, refused: [], positions: [['b', id(5)]] });
    // An older term is answered, so the message before it has been heard.
    setting.say({ type: 'elected', term: TERM - 1 });
    await until(() => greetings() > greeted);
    expect(isSubscribed).toBe(false);
    setting.changes.at(-1)?.store(7);
    await subscribed;
    setting.streams.at(-1)?.write(text('b', 8));
    await until(() => messages.length === 1);
    setting.site.cut();
    await until(() => setting.changes.at(-1)?.after === id(8));
  });

  it('does not take from another tab what that lacks', async () => {
    const setting = await open(undefined);
    setting.live('other');
    const first = new FakeTab(new Chance(1));
    setting.lead(first);
    const events = setting.connect();
    setting.subscribe(events, 'b').catch(() => {});
    await until(() => setting.heard.some(({ type }) => type === 'joined'));
    // The new leader waits for the position of this one.
    setting.lead();
    first.close();
    await until(() => setting.heard.some(({ type }) => type === 'elected'));
    setting.say({ type: 'channels', tab: 'other', version: 1, channels: [['b', id(3)]] });
    await until(() => setting.changes.length === 1);
    expect(setting.changes[0]?.after).toBe(id(3));
  });
});

describe('a tab whose connection is cut while older events arrive', () => {
  it('receives a reset', async () => {
    const setting = await open(id(10));
    const events = setting.connect();
    const resets = collect(events, 'reset');
    await until(() => setting.streams.length === 1);
    setting.streams[0]?.write(marker(id(10, '~')) + text('all', 9, true));
    await until(() => events.lastEventId === id(10, '~'));
    setting.streams[0]?.destroy();
    await until(() => setting.streams.length === 2);
    setting.streams[1]?.write(
      `id: ${id(10)}\nevent: reset\ndata: {"reason":"interrupted","channels":["all"]}\n\n${text('all', 11)}`,
    );
    await until(() => events.lastEventId === id(11));
    expect(resets).toHaveLength(1);
    expect(setting.requested).toEqual([id(10), id(10, '~')]);
  });
});
