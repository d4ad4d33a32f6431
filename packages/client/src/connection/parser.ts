/** What stands between two blank lines of a stream. */
export interface Block {
  /** `message` if the block names none. */
  readonly event: string;
  /** Undefined: the block has no data. It may set the id, but is not an event. */
  readonly data: string | undefined;
  /** Undefined: the block has none. '' resets the id. */
  readonly id: string | undefined;
  /** Fields of Tidings: the channel of an event, and the id of one that is sent without an `id`. */
  readonly channel: string | undefined;
  readonly position: string | undefined;
}

/**
 * Parses an event stream (WHATWG HTML 9.2.6). A parser of our own: those on npm drop an id that stands without data, and
 * hold back a line that ends in CR until more arrives.
 *
 * @param onRetry receives the ms of a `retry` field.
 * @returns a function that takes the text of the stream, in pieces.
 */
export function createParser(
  onBlock: (block: Block) => void,
  onRetry: (retry: number) => void,
): (text: string) => void {
  // Joined at a line break only, so that a long line in many pieces is read once.
  let unfinished: string[] = [];
  let endsWithCR = false;
  let data: string[] = [];
  let event = '';
  let id: string | undefined;
  let channel: string | undefined;
  let position: string | undefined;

  const readLine = (line: string) => {
    if (line === '') {
      const hasData = data.length > 0;
      const block = {
        event: event || 'message',
        data: hasData ? data.join('\n') : undefined,
        id,
        channel,
        position,
      };
      data = [];
      event = '';
      id = channel = position = undefined;
      if (hasData || block.id !== undefined) onBlock(block);
      return;
    }
    const [, field, value = ''] = /^([^:]*)(?::\x20?(.*))?$/s.exec(line) as unknown as string[];
    if (field === 'data') data.push(value);
    else if (field === 'event') event = value;
    else if (field === 'channel') channel = value;
    else if (field === 'position') position = value;
    else if (field === 'id' && !value.includes('\0')) id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) onRetry(Number(value));
  };

  return text => {
    const lines = (endsWithCR ? text.replace(/^\n/, '') : text).split(/\r\n?|\n/);
    // Bytes in the middle of a character are no text yet.
    if (text !== '') endsWithCR = text.endsWith('\r');
    const last = lines.pop() as string;
    for (const line of lines) {
      unfinished.push(line);
      readLine(unfinished.join(''));
      unfinished = [];
    }
    unfinished.push(last);
  };
}
