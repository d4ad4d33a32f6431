import { invalid } from '../../base/option-checks.ts';
import type { FanOut } from '../../delivery/fan-out.ts';
import type { Broker } from '../../log/broker/broker.ts';

/** @throws {TidingsError} `invalid-option` */
export function readBroker(broker: Broker | undefined): Broker | undefined {
  if (broker === undefined || (typeof broker?.start === 'function' && typeof broker.open === 'function')) {
    return broker;
  }
  throw invalid('broker', 'a Broker, such as the result of redisBroker()', broker);
}

/** @throws {TidingsError} `invalid-option` */
export function readFanOut(fanOut: FanOut | undefined): FanOut | undefined {
  if (fanOut === undefined || typeof fanOut?.flush === 'function') return fanOut;
  throw invalid('fanOut', 'the result of native() of @tidings/native', fanOut);
}
