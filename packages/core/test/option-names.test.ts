import { describe, expect, it } from 'vitest';
import { createHub } from '../src/hub/create-hub.ts';
import { adapterHub, gracefulShutdown } from '../src/node.ts';
import { MemoryTransport } from './memory-transport.ts';

const hub = createHub();
const open = (options = {}) => hub.open(new MemoryTransport(), { method: 'GET', url: '/' }, options);

// Without types: as JavaScript calls it.
const calls: [options: string, call: () => unknown, message: string][] = [
  [
    'createHub()',
    () => createHub({ heartbeet: 5 } as object),
    'no option "heartbeet": did you mean heartbeat?',
  ],
  ['createHub()', () => createHub({ onerror() {} } as object), 'did you mean onError?'],
  [
    'limits',
    () => createHub({ limits: { perclient: 5 } as object }),
    '"limits.perclient": did you mean perClient?',
  ],
  ['history', () => createHub({ history: { event: 5 } as object }), '"history.event": did you mean events?'],
  ['heartbeat', () => createHub({ heartbeat: { intervall: 5 } as object }), 'did you mean interval?'],
  ['presence', () => createHub({ presence: { channel: 'x', lingers: 5 } as never }), 'did you mean linger?'],
  ['a channel', () => hub.channel('x', { compacted: true } as object), 'did you mean compact?'],
  ['a stream', () => open({ clint: 'ann' }), 'did you mean client?'],
  ['a stream', () => open({ keepalive: true }), 'the options are client, data, retry, markers'],
  ['subscribe()', () => open().subscribe('x', { form: 'now' } as object), 'did you mean from?'],
  ['listen()', () => hub.listen('x', () => {}, { onreset() {} } as object), 'did you mean onReset?'],
  ['from()', () => hub.channel('x').from([], { sginal: undefined } as object), 'did you mean signal?'],
  ['close()', () => createHub().close({ wihtin: 5 } as object), 'did you mean within?'],
  [
    'gracefulShutdown()',
    () => gracefulShutdown({ close() {} }, hub, { signal: [] } as object),
    'did you mean signals?',
  ],
  ['sse()', () => adapterHub({ hubb: hub } as object), 'did you mean hub?'],
  ['sse()', () => adapterHub({ heartbeat: 5 } as object), 'the options are hub'],
  ['sse()', () => adapterHub(hub as object), 'as in sse({ hub }); got an object'],
];

describe('an unknown option is refused, with the most similar name', () => {
  it.each(calls)('of %s', (_, call, message) => {
    expect(call).toThrow(expect.objectContaining({ code: 'invalid-option' }));
    expect(call).toThrow(message);
  });
});
