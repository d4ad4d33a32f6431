import type { Broker, Opened, Page, Position, ReadFrom, Sink } from '@tidings/core';

/** The broken ranges of one log: no position in them is ever assigned. */
export type Breaks = [after: Position, before: Position][];

/**
 * A broker whose positions have no gaps: those that its log skips are left out. The contract counts positions; a broker
 * may skip some.
 *
 * @param breaks shared by all brokers of a log. Empty at first.
 */
export function densePositions(broker: Broker, breaks: Breaks): Broker {
  const dense = (position: Position) => {
    const before = breaks.filter(([, before]) => before <= position);
    return position - before.reduce((sum, [after, before]) => sum + before - after, 0);
  };
  const denseIfAny = (position: Position | undefined) =>
    position === undefined ? undefined : dense(position);
  const sparse = (position: Position) => {
    return breaks.reduce((sum, [after, before]) => (sum > after ? sum + before - after : sum), position);
  };
  const densePage = (page: Page): Page => ({
    ...page,
    entries: page.entries.map(entry => ({ ...entry, position: dense(entry.position) })),
    trimmedUpTo: dense(page.trimmedUpTo),
    last: denseIfAny(page.last),
    endedAt: denseIfAny(page.endedAt),
    supersededUpTo: denseIfAny(page.supersededUpTo),
  });
  return {
    async start(sink) {
      const inner: Sink = {
        entries: list => sink.entries(list.map(entry => ({ ...entry, position: dense(entry.position) }))),
        advanced: head => sink.advanced(dense(head)),
        lost: (channels, isCompaction) => sink.lost(channels, isCompaction),
        broken(after, before) {
          if (breaks.some(known => known[1] === before)) return;
          breaks.push([after, before]);
          breaks.sort(([a], [b]) => a - b);
        },
        restarted: (epoch, head) => sink.restarted(epoch, dense(head)),
        connection: (isConnected, cause) => sink.connection(isConnected, cause),
        report: error => sink.report(error),
      };
      const { epoch, head } = await broker.start(inner);
      return { epoch, head: dense(head) };
    },
    async publish(drafts, deadline) {
      const { epoch, results } = await broker.publish(drafts, deadline);
      return {
        epoch,
        results: results.map(result => (typeof result === 'number' ? dense(result) : result)),
      };
    },
    async open(wants): Promise<Opened> {
      const sparseFrom = (from: ReadFrom) => (typeof from === 'number' ? sparse(from) : from);
      const inner = new Map([...wants].map(([name, from]) => [name, sparseFrom(from)]));
      const { head, pages } = await broker.open(inner);
      return {
        head: dense(head),
        pages: new Map([...pages].map(([name, page]) => [name, densePage(page)])),
      };
    },
    release: channels => broker.release(channels),
    read: async (channel, after, until) =>
      densePage(await broker.read(channel, sparse(after), sparse(until))),
    async head() {
      const { epoch, head } = await broker.head();
      return { epoch, head: dense(head) };
    },
    async state(channel) {
      const { state, last } = await broker.state(channel);
      return { state, last: dense(last) };
    },
    lease: (set, change) => (broker as Required<Broker>).lease(set, change),
    close: () => broker.close(),
  };
}
