/** ms. A shorter response was probably ended by a proxy or by the server's handler. */
const SHORT = 1_000;
/** Number of consecutive short responses that cause a warning. */
const MANY = 3;
/** ms. Tidings sends the first byte immediately; with a broker, within a second. */
const LATE = 5_000;

/** Warns once if a proxy seems to buffer the response. Otherwise the only symptom is that no events arrive. */
export class BufferingWarning {
  readonly #url: string;
  #shortOnes = 0;
  #sentAt = 0;
  #isOver = false;

  constructor(url: string) {
    this.#url = url;
  }

  sent(): void {
    this.#sentAt = Date.now();
  }

  /** @param isPrompt whether the server sends a byte immediately: Tidings does, others may wait for an event. */
  arrived(isPrompt: boolean): void {
    if (isPrompt && this.#sentAt && Date.now() - this.#sentAt > LATE)
      this.#warn('the first byte took more than 5 s');
    this.#sentAt = 0;
  }

  /** @param ms how long the response has lasted. */
  ended(ms: number): void {
    this.#shortOnes = ms < SHORT ? this.#shortOnes + 1 : 0;
    if (this.#shortOnes === MANY) this.#warn(`${MANY} responses in a row ended within a second`);
  }

  #warn(what: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    console.warn(
      `${this.#url}: ${what}. A proxy may buffer the response: for nginx, set "proxy_buffering off". See docs/proxies.md`,
    );
  }
}
