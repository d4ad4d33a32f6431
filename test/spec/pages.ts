/**
 * The other pages of web-platform-tests, folder `eventsource/`: their part of a server, if they have one, and the test
 * that has it. `client` is about the interface of the client alone.
 */
export const pages: Record<string, string> = {
  'dedicated-worker, shared-worker': 'client',
  'event-data': 'rules.ts',
  'eventsource-close': 'event-source.test.ts',
  'eventsource-constructor-document-domain': 'client',
  'eventsource-constructor-empty-url': 'client',
  'eventsource-constructor-non-same-origin': 'client',
  'eventsource-constructor-stringify': 'client',
  'eventsource-constructor-url-bogus': 'client',
  'eventsource-constructor-url-multi-window': 'client',
  'eventsource-bfcache': '../real-world/browsers.test.ts',
  'eventsource-cross-origin': '../real-world/browsers.test.ts',
  'eventsource-eventtarget': 'client',
  'eventsource-from-readable-stream': 'client',
  'eventsource-onmessage': 'event-source.test.ts',
  'eventsource-onmessage-realm': 'client',
  'eventsource-onmessage-trusted': 'client',
  'eventsource-onopen': 'event-source.test.ts',
  'eventsource-prototype': 'client',
  'eventsource-reconnect': 'event-source.test.ts',
  'eventsource-request-cancellation': '../contract/departure.test.ts',
  'eventsource-url': 'client',
  interfaces: 'client',
};
