/** Bytes that Tidings puts around the text of an event: its id, its name, and JSON. */
const AROUND = 55;

/**
 * What is published: an object, as applications have them. The mark is what clients count events by.
 *
 * @param {number} bytes that Tidings makes of it, about; others make a few more or less.
 */
export function payload(bytes) {
  return { text: `#${'x'.repeat(bytes - AROUND)}` };
}

/**
 * What is asked of a server's control port.
 *
 * @param {number} events to publish in one turn of the event loop.
 * @param {number} bytes of each.
 */
export function publishCommand(events, bytes) {
  return `publish ${events} ${bytes}\n`;
}
