/** The fields between two blank lines of a stream. */
export interface Block {
  /** The name of the event. `message` if the block has none. */
  readonly event: string;
  /** Undefined: the block has no data. It may set the id, but is not an event. */
  readonly data: string | undefined;
  /** Undefined: the block has no id. '' resets the id. */
  readonly id: string | undefined;
  /** Fields of Tidings: the channel of an event, and the id of an event that is sent without an `id`. */
  readonly channel: string | undefined;
  readonly position: string | undefined;
}

/**
 * Parses an event stream (WHATWG HTML 9.2.6). The parsers on npm cannot be used: they drop an id without data, and
 * delay a line that ends in CR until more text arrives.
 *
 * @param onRetry called with the ms of a `retry` field.
 * @returns a function to call with each chunk of text.
 */
export function createParser(
  onBlock: (block: Block) => void,
  onRetry: (retry: number) => void,
): (text: string) => void {
  // The chunks of the current line. They are joined only at its end, so that a long line is not copied for each chunk.
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
    // The text is '' if a chunk ends within a character.
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
