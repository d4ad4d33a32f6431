import type { Frame } from '@tidings/core';

/** What is between two blank lines of a response. */
export interface Block {
  readonly id: string | undefined;
  readonly event: string;
  /** Absent: the block dispatches nothing. */
  readonly data: string | undefined;
}

/** Where a block ends in a write, in characters, and the id that the client has from there on. */
export type Checkpoint = readonly [end: number, id: string];

/** A write, as far as it completes blocks. */
export interface Written {
  readonly text: string;
  readonly blocks: readonly Block[];
  readonly checkpoints: readonly Checkpoint[];
}

/** The frame that was parsed last: frames are shared by streams, which get them one after the other. */
let last: { readonly frame: Frame; readonly written: Written } | undefined;

/** Parses what is written to one response. As strict as the engine's own output is: anything else throws. */
export class Parser {
  /** The start of a block that is not complete. */
  #rest = '';

  read(frame: Frame): Written {
    const isWhole = this.#rest === '';
    if (isWhole && last?.frame === frame) return last.written;
    const { bytes } = frame;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
    const written = this.#parse(text);
    if (isWhole && this.#rest === '') last = { frame, written };
    return written;
  }

  #parse(text: string): Written {
    const blocks: Block[] = [];
    const checkpoints: Checkpoint[] = [];
    const all = this.#rest + text;
    let start = 0;
    for (let end = all.indexOf('\n\n'); end !== -1; end = all.indexOf('\n\n', start)) {
      const block = parseBlock(all.slice(start, end));
      start = end + 2;
      blocks.push(block);
      if (block.id !== undefined && block.data !== undefined) {
        checkpoints.push([start - this.#rest.length, block.id]);
      }
    }
    this.#rest = all.slice(start);
    return { text, blocks, checkpoints };
  }
}

function parseBlock(text: string): Block {
  let id: string | undefined;
  let event = 'message';
  let data: string | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('data: ')) data = data === undefined ? line.slice(6) : `${data}\n${line.slice(6)}`;
    else if (line.startsWith('id: ')) id = line.slice(4);
    else if (line.startsWith('event: ')) event = line.slice(7);
    else if (!line.startsWith(':') && !/^retry: \d+$/.test(line))
      throw new Error(`a line that is none: ${line}`);
  }
  return { id, event, data };
}
