/** One event as a page sees it. */
export interface Dispatched {
  type: string;
  data: string;
  lastEventId: string;
}

/** All that a stream says to a client, and what a client has no use for. */
export interface Parsed {
  events: Dispatched[];
  retries: number[];
  comments: string[];
  /** Lines that the standard has clients ignore: a server has no reason to write one. */
  ignored: string[];
}

/** The algorithm of WHATWG HTML 9.2.6, step by step, on a whole stream that has been decoded already. */
export function parseEventStream(text: string): Parsed {
  const parsed: Parsed = { events: [], retries: [], comments: [], ignored: [] };
  let data = '';
  let type = '';
  let lastEventId = '';
  const lines = text.split(/\r\n|\n|\r/);
  // What follows the last line break is not a line.
  for (const line of lines.slice(0, -1)) {
    if (line === '') {
      dispatch();
    } else if (line.startsWith(':')) {
      parsed.comments.push(line.slice(1).replace(/^ /, ''));
    } else if (line.includes(':')) {
      const colon = line.indexOf(':');
      process(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''), line);
    } else {
      process(line, '', line);
    }
  }
  return parsed;

  function process(field: string, value: string, line: string): void {
    if (field === 'event') type = value;
    else if (field === 'data') data += `${value}\n`;
    else if (field === 'id' && !value.includes('\0')) lastEventId = value;
    else if (field === 'retry' && /^[0-9]+$/.test(value)) parsed.retries.push(Number(value));
    else parsed.ignored.push(line);
  }

  function dispatch(): void {
    if (data !== '') parsed.events.push({ type: type || 'message', data: data.slice(0, -1), lastEventId });
    data = '';
    type = '';
  }
}
