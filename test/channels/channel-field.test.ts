import { createHub, type HubOptions } from '@tidings/core';
import { describe, expect, it } from 'vitest';
import { open, quietHub, until } from '../support/memory-stream.ts';
import { snippet } from '../support/snippets.ts';

const hubOf = (options?: HubOptions) => quietHub({ channelField: true, ...options });

describe('channelField', () => {
  it('sends the channel with each event, before its data', async () => {
    const hub = hubOf();
    const { stream, transport } = open(hub);
    stream.subscribe(['a', 'room:7']);
    const id = await hub.publish('room:7', 'hello', { event: 'message' });
    await hub.publish('a', 'text');
    await until(() => transport.text.includes('text'));
    const documented = snippet('docs/types.md', 'channel field');
    expect(transport.text).toContain(documented.replace('0e6d1f4a93c7-17', id));
    expect(transport.text).toContain('channel: a\ndata: text\n');
  });

  it('sends the position of older events, which have no id', async () => {
    const hub = hubOf();
    const first = await hub.publish('a', 'seen');
    const id = await hub.publish('a', 'older');
    await hub.publish('b', 'newer');
    const { stream, transport } = open(hub);
    stream.subscribe('b', { from: 'now' }).subscribe('a', { from: { after: first } });
    await until(() => transport.text.includes('older'));
    expect(transport.text).toContain(`channel: a\nposition: ${id}\ndata: older\n\n`);
    expect(transport.text).not.toContain('seen');
  });

  it('sends the channel of a snapshot', async () => {
    const hub = hubOf({ channels: () => ({ snapshot: () => 'all of it' }) });
    const { stream, transport } = open(hub);
    stream.subscribe('board');
    await until(() => transport.text.includes('all of it'));
    expect(transport.text).toContain('channel: board\nevent: snapshot\ndata: all of it\n\n');
  });

  it.each(['a\nid: 1', 'a\rid: 1', 'a\r\nid: 1'])('leaves out a name with a line break: %j', async name => {
    const hub = hubOf();
    const { stream, transport } = open(hub);
    stream.subscribe(name);
    await hub.publish(name, 'text');
    await until(() => transport.text.includes('text'));
    expect(transport.text).not.toMatch(/^channel|^id: 1$/m);
  });

  it('is switched off by default, and has to be a boolean', async () => {
    const hub = quietHub();
    const { stream, transport } = open(hub);
    stream.subscribe('a');
    await hub.publish('a', 'text');
    await until(() => transport.text.includes('text'));
    expect(transport.text).not.toContain('channel');
    expect(() => createHub({ channelField: 'yes' as never })).toThrow(/channelField/);
  });
});
