/**
 * What the engine does not do yet. The judge overlooks a fault while its rule is false: set it to true with the change
 * that mends the engine. `STRICT=1` sets all of
 * them but those that say what exists, `STRICT=name,name` some.
 */
export const RULES = {
  /** A 200 response that had subscribed to channels tells a position before it ends. */
  tellsBeforeItEnds: true,
  /** An event for which the filter throws is skipped for that stream, and reported to `onError`. */
  skipsWhatTheFilterThrowsFor: true,
  /** A channel that retains nothing and has no snapshot is never named in a reset. */
  nothingRetainedNothingPromised: true,
  /** Before the local history trims past the last id of a live client, the client is sent a position. */
  tellsBeforeItTrims: true,
  /** A channel that was dropped causes resets of no other channel. */
  forgetsByName: true,
  /** A reset with nothing behind it is followed by a marker in the same write, so that a resume does not repeat. */
  marksAfterReset: true,
  /** The `subscribe` calls of the tick of the first one resume, whenever that is, and later ones do not. */
  resumesInTheTickOfTheFirst: true,
  /** Control messages are entries of the log: a process that was cut off is given them later. */
  logsControlMessages: true,
  /** A snapshot that throws before it has returned a promise is asked for again by the next stream. */
  recoversFromAThrowingSnapshot: true,
  /** A broker may say that something is lost before the head has advanced past it. */
  repairsWhatIsLostAhead: true,
  /** With a broker, too, a stream waits until its node has come to the last id of its client, whatever it subscribes to. */
  neverGoesBack: true,
  /** `{ from: 'state' }` and `{ since: id }` exist. */
  hasStateAndSince: false,
};

export type Rules = Readonly<typeof RULES>;
export type Rule = keyof Rules;

/** The rules, and some that hold although they are false above. */
export function rulesWith(names: readonly string[]): Rules {
  const rules = { ...RULES };
  for (const name of names) {
    if (!Object.hasOwn(rules, name)) throw new Error(`no such rule: ${name}`);
    rules[name as Rule] = true;
  }
  return rules;
}

/** The rules, as the environment says. */
export function rulesOf(strict: string | undefined): Rules {
  const faults = Object.keys(RULES).filter(name => name !== 'hasStateAndSince');
  return rulesWith(strict === '1' ? faults : (strict?.split(',') ?? []));
}
