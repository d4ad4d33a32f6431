import { errorCode } from '../../base/errors.ts';
import type { Broker } from './broker.ts';

/** One call of a broker that has settled. */
export interface BrokerCall {
  readonly call: 'start' | 'publish' | 'open' | 'read' | 'head' | 'state' | 'lease';
  /** Duration in ms. */
  readonly ms: number;
  /**
   * The code of the error with which it rejected: that of a TidingsError, otherwise `unknown`. Undefined: it succeeded.
   */
  readonly error: string | undefined;
}

/** Wraps a broker, and times its calls. The returned promises are those of the broker itself. */
export function timeCalls(broker: Broker, onCall: (call: BrokerCall) => void): Broker {
  const timed = <T>(call: BrokerCall['call'], promise: Promise<T>): Promise<T> => {
    const start = performance.now();
    const settled = (error?: string) => onCall({ call, ms: performance.now() - start, error });
    promise.then(
      () => settled(),
      error => settled(errorCode(error)),
    );
    return promise;
  };
  const { lease } = broker;
  return {
    start: sink => timed('start', broker.start(sink)),
    publish: (drafts, deadline) => timed('publish', broker.publish(drafts, deadline)),
    open: wants => timed('open', broker.open(wants)),
    release: channels => broker.release(channels),
    read: (channel, after, until) => timed('read', broker.read(channel, after, until)),
    head: () => timed('head', broker.head()),
    state: channel => timed('state', broker.state(channel)),
    ...(lease && { lease: (set, change) => timed('lease', lease.call(broker, set, change)) }),
    close: () => broker.close(),
  };
}
