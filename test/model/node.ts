import type { Hub } from '@tidings/core';
import type { NodeView } from './judge.ts';
import type { ModelBroker } from './model-broker.ts';
import type { Order, Truth } from './truth.ts';

/** A process with its hub, as far as the judge has to know it. */
export class Node implements NodeView {
  readonly hub: Hub;
  readonly truth: Truth;
  readonly broker: ModelBroker | undefined;
  /** Nothing that a broker is asked for has been rejected so far. */
  isReliable = true;
  isClosing = false;
  hasLost = false;
  restedAt: Order = 0;
  #acknowledged: Order = 0;

  constructor(hub: Hub, truth: Truth, broker: ModelBroker | undefined) {
    this.hub = hub;
    this.truth = truth;
    this.broker = broker;
  }

  get isInProcess(): boolean {
    return this.broker === undefined;
  }

  get epoch(): number {
    return this.truth.epoch;
  }

  get head(): Order {
    return this.truth.head;
  }

  get told(): Order {
    return this.broker === undefined ? this.head : this.truth.orderOf(this.epoch, this.broker.told);
  }

  get heard(): Order {
    const isOfThisEpoch = this.truth.epochOf(this.#acknowledged) === this.epoch;
    return isOfThisEpoch ? Math.max(this.told, this.#acknowledged) : this.told;
  }

  get startedAt(): Order | undefined {
    if (this.broker === undefined) return this.head;
    const { startedAt } = this.broker;
    return startedAt === undefined ? undefined : this.truth.orderOf(this.broker.startedIn, startedAt);
  }

  /** A publish was answered. */
  acknowledge(order: Order): void {
    this.#acknowledged = Math.max(this.#acknowledged, order);
  }

  /** The place of an id; undefined if this log has never given it. */
  orderOf(id: string): Order | undefined {
    const [name, position = ''] = id.split('-');
    const { epochs } = this.truth;
    if (this.isInProcess) epochs[0] ??= name;
    const epoch = epochs.indexOf(name);
    return epoch === -1 ? undefined : this.truth.orderOf(epoch, Number.parseInt(position, 10));
  }
}
