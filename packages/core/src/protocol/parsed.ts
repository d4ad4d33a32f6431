/** The type of a value that was sent as JSON and parsed: a Date becomes a string, a function becomes `never`. */
export type Parsed<T> = T extends string | number | boolean | null
  ? T
  : T extends { toJSON(): infer Sent }
    ? Parsed<Sent>
    : T extends (...args: never) => unknown
      ? never
      : T extends object
        ? { [Key in keyof T]: Parsed<T[Key]> }
        : T;

/** Types that are sent as text. All others are sent as JSON. */
export type SentAsText = string | Uint8Array | ArrayBuffer;
