import { describe, expect, it } from 'vitest';
import type { RawEvent } from '../src/connection/connection.ts';
import { Control } from '../src/control/control.ts';
import type { StreamChannel } from '../src/control/stream-channels.ts';
import type { Relay, RelayedEvent } from '../src/shared/messages.ts';
import type { Parts } from '../src/shared/parts.ts';
import { Reception } from '../src/shared/reception.ts';

/** A tab that follows `a` from e-3 on, and has received what the route sends up to e-6: the stream lacked `a`. */
function aheadOfItsChannel() {
  const received: string[] = [];
  const control: Control = new Control('http://localhost/control', {}, () => reception.lastEventId);
  const receiver = {
    receive(event: RawEvent) {
      if (control.accepts(event)) received.push(`${event.channel} ${event.id ?? event.position}`);
    },
    arrived: (at: string) => control.arrived(at),
  };
  const reception: Reception = new Reception({ position: 'e-3', receiver, control } as unknown as Parts);
  control.subscribe(['a']).catch(() => {});
  reception.take(relay(1, 'e-3', 'e-6', {}, live('all', 4), live('all', 6)));
  received.length = 0;
  return { reception, control, received };
}

const live = (channel: string, position: number) => ({ channel, id: `e-${position}` });
const older = (channel: string, position: number) => ({ channel, id: undefined, position: `e-${position}` });

function relay(
  term: number,
  before: string,
  after: string,
  channels: Record<string, Partial<StreamChannel>>,
  ...events: Partial<RelayedEvent>[]
): Relay {
  const streamChannels = Object.entries(channels).map(
    ([name, channel]) =>
      [name, { since: '', hasBackfill: false, isApplied: false, isRemoved: false, ...channel }] as const,
  );
  return {
    type: 'relay',
    term,
    n: 1,
    before,
    after,
    channels: new Map(streamChannels),
    events: events.map(event => ({ event: 'message', data: '', id: undefined, isNotice: false, ...event })),
    state: 'open',
    error: undefined,
    silence: undefined,
  };
}

describe('a tab that is ahead of the stream that it follows', () => {
  it('receives the missing events of its channels, and none twice', () => {
    const { reception, received } = aheadOfItsChannel();
    const a = { since: 'e-3', storedAt: 'e-4' };
    const events = [
      older('a', 4),
      live('all', 4),
      live('a', 5),
      live('all', 6),
      live('a', 7),
      live('all', 8),
    ];
    reception.take(relay(2, 'e-3', 'e-8', { a }, ...events));
    expect(received).toEqual(['a e-4', 'a e-5', 'a e-7', 'all e-8']);
    expect(reception.lastEventId).toBe('e-8');
  });

  it('misses the events between the end of that stream and its own position', () => {
    const { reception, control, received } = aheadOfItsChannel();
    const a = { since: 'e-3', storedAt: 'e-4', isApplied: true };
    reception.take(relay(2, 'e-3', 'e-5', { a }, older('a', 4), live('a', 5)));
    expect(control.announce()?.channels).toEqual([['a', 'e-5']]);
    reception.take(relay(3, 'e-5', 'e-7', { a: { since: 'e-5' } }, older('a', 6), live('all', 7)));
    expect(received).toEqual(['a e-4', 'a e-5', 'a e-6', 'all e-7']);
  });

  it('does not receive again what it has of a channel, when a reset of another moves its position back', () => {
    const { reception, received } = aheadOfItsChannel();
    reception.take(
      relay(2, 'e-6', 'e-6~', { a: { since: 'e-3', storedAt: 'e-6' } }, older('a', 4), older('a', 6)),
    );
    const reset = {
      event: 'reset',
      id: 'e-4',
      data: '{"reason":"history","channels":["all"]}',
      isNotice: true,
    };
    const a = { since: 'e-1', storedAt: 'e-2', isApplied: true };
    reception.take(relay(3, 'e-3', 'e-4', { a }, reset));
    reception.take({ ...relay(3, 'e-4', 'e-7', { a }, live('a', 5), live('all', 6), live('a', 7)), n: 2 });
    expect(received.filter(text => text.startsWith('a '))).toEqual(['a e-4', 'a e-6', 'a e-7']);
  });

  it('has everything of its channels when the stream has reached its position', () => {
    const { reception, control } = aheadOfItsChannel();
    const a = { since: 'e-3', storedAt: 'e-4', isApplied: true };
    reception.take(relay(2, 'e-3', 'e-6', { a }, older('a', 4)));
    expect(control.announce()?.channels).toEqual([['a', 'e-6']]);
  });
});
