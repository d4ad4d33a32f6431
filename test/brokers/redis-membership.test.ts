import { setTimeout as wait } from 'node:timers/promises';
import { createHub, type Hub } from '@tidings/core';
import { expect, it } from 'vitest';
import { eventually } from '../support/client.ts';
import { describeWith } from '../support/system.ts';
import { Database, Member } from './membership.ts';
import { broker, current } from './redis-clients.ts';
import { REDIS } from './redis-server.ts';
import { setUp } from './redis-setup.ts';

const CHANGES = 1_000;
const ROOMS = ['a', 'b', 'c', 'd', 'e', 'f'];

const pick = <T>(list: readonly T[]) => list[Math.floor(Math.random() * list.length)] as T;

/** For one member and room: numbers of events that it may not receive, and that it has to. */
interface Rights {
  /** Events with numbers in these ranges, ends included, were published while it was out, beyond doubt. */
  readonly out: [first: number, last: number][];
  /** And while it was in, with what was received by the connection that it had at the end of that. */
  readonly in: [first: number, last: number, received: readonly number[]][];
  /** It is in or out, beyond doubt, from this number on. */
  from: number;
  isIn: boolean;
}

describeWith(REDIS, 'changing members of rooms, on two processes', () => {
  const { client } = current[0] as (typeof current)[0];
  const { atEnd, redis, proxyTo } = setUp(client);

  it(`are followed over ${CHANGES} changes while connections break`, async () => {
    const server = await redis();
    const proxy = await proxyTo(server);
    const database = new Database();
    const hubs = [server, proxy].map(({ url }) => {
      const hub = createHub({
        broker: broker(client(url), 'hub'),
        onError: () => {},
        heartbeat: false,
        history: { events: 50_000, bytes: 64 * 1024 * 1024, age: 300_000 },
      });
      atEnd(() => hub.close({ within: 0 }));
      return hub;
    });
    const [hub] = hubs as [Hub, Hub];
    await Promise.all(hubs.map(each => each.ready()));
    const names = Array.from({ length: 10 }, (_, index) => `member ${index}`);
    let newest = await hub.position();
    const members = names.map(name => new Member(name, hubs, ROOMS, database, newest));
    const rights = new Map<string, Rights>();
    const rightsOf = ({ name }: Member, room: string) => {
      const key = `${name} ${room}`;
      const found = rights.get(key) ?? { out: [], in: [], from: 0, isIn: false };
      rights.set(key, found);
      return found;
    };

    // One publisher, so that the numbers ascend in the log.
    const roomOf: string[] = [];
    let accepted = -1;
    let isPublishing = true;
    const publish = async (room: string) => {
      const number = roomOf.push(room) - 1;
      newest = await hub.publish(room, number);
      accepted = number;
    };
    const publishing = (async () => {
      while (isPublishing) await publish(pick(ROOMS));
    })();
    const breaking = (async () => {
      while (isPublishing) {
        await wait(100 + 300 * Math.random());
        if (Math.random() < 0.3) pick(members).cut();
        else if (Math.random() < 0.2) proxy.cutOthers();
        else proxy.cut();
      }
    })();

    /** A change: what is published before it begins, and after it has been acknowledged, is beyond doubt. */
    async function change(member: Member, room: string): Promise<void> {
      const its = rightsOf(member, room);
      if (its.isIn) its.in.push([its.from, accepted, member.connection.received]);
      else its.out.push([its.from, accepted]);
      if (its.isIn) database.remove(member.name, room);
      else database.add(member.name, room, newest);
      if (!its.isIn) await hub.clients.subscribe(member.name, room);
      else await hub.clients.unsubscribe(member.name, room);
      its.isIn = !its.isIn;
      its.from = roomOf.length;
    }

    const disconnected: { received: readonly number[]; from: number }[] = [];
    for (let changes = 0; changes < CHANGES; changes++) {
      const member = pick(members);
      if (Math.random() < 0.05) {
        const { connection } = member;
        await hub.clients.disconnect(member.name);
        disconnected.push({ received: connection.received, from: roomOf.length });
      } else await change(member, pick(ROOMS));
    }
    isPublishing = false;
    await Promise.all([publishing, breaking]);
    proxy.cut();
    for (const member of members) {
      for (const room of ROOMS) {
        const its = rightsOf(member, room);
        if (its.isIn) its.in.push([its.from, accepted, member.received]);
        else its.out.push([its.from, accepted]);
      }
    }
    // The last event of all, for everyone.
    await publish('all');
    const last = roomOf.length - 1;
    await eventually(() => members.every(({ received }) => received.includes(last)));
    for (const member of members) member.stop();

    const isWithin = (ranges: Rights['out'], number: number) =>
      ranges.some(([first, last]) => first <= number && number <= last);
    // Of a room that it left while it was not connected, nobody can send it the rest.
    const wasConnected = ([, last, its]: Rights['in'][number]) => its.some(number => number > last);
    const ranges = (rights: Rights): Rights['out'] =>
      rights.in.filter(wasConnected).map(([first, last]) => [first, last]);
    for (const member of members) {
      const { name, received, resets } = member;
      expect(new Set(received).size, `${name} receives each event once`).toBe(received.length);
      const forbidden = received.filter(number => {
        const room = roomOf[number] as string;
        return room !== 'all' && isWithin(rightsOf(member, room).out, number);
      });
      expect(forbidden, `${name} receives nothing while it is out`).toEqual([]);
      const seen = new Set(received);
      const lost = roomOf.flatMap((room, number) => {
        if (room === 'all' || resets.includes(room) || seen.has(number)) return [];
        return isWithin(ranges(rightsOf(member, room)), number) ? [number] : [];
      });
      expect(lost, `${name} receives all while it is in`).toEqual([]);
    }
    for (const { received, from } of disconnected) {
      expect(received.filter(number => number >= from)).toEqual([]);
    }
    // The test is about something.
    expect(members.flatMap(({ received }) => received).length).toBeGreaterThan(100);
    expect(members.flatMap(({ resets }) => resets).length).toBeLessThan(CHANGES / 10);
  });
});
