type Message = readonly [name: string, text: string];

/** Bytes, about, that may wait while the log is read. What is beyond that is dropped: the log has it. */
const MOST = 8 * 1024 * 1024;

/** Messages that wait while the log is read. */
export class Held {
  /** They were too many, and have been dropped: the log must be read once more. */
  hasOverflowed = false;
  #messages: Message[] = [];
  #size = 0;

  add(name: string, text: string): void {
    if (this.hasOverflowed) return;
    this.#messages.push([name, text]);
    this.#size += text.length;
    if (this.#size <= MOST) return;
    this.take();
    this.hasOverflowed = true;
  }

  /** Those that have waited until now: they wait no longer. */
  take(): Message[] {
    const messages = this.#messages;
    this.#messages = [];
    this.#size = 0;
    this.hasOverflowed = false;
    return messages;
  }
}
