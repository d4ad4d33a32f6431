import { DeliveryChanges, type SubscriptionChange } from '../../delivery/delivery-changes.ts';
import type { DeliveryTarget } from '../../delivery/delivery-target.ts';
import { StreamDelivery } from '../../delivery/stream-delivery.ts';
import { guardFilter } from '../../delivery/subscriptions/guard-filter.ts';
import {
  DEFAULTS,
  readSubscribeOptions,
  type SubscribeOptions,
} from '../../delivery/subscriptions/subscribe-options.ts';
import { type ChannelName, namesOf } from '../../protocol/channel-name.ts';
import type { EventStream } from '../event-stream.ts';
import { markRejected } from '../response/rejection.ts';
import type { StreamResponse } from '../response/response.ts';

/**
 * Subscribes a stream to channels. On a closed stream it does nothing.
 *
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function subscribeTo(
  stream: EventStream & DeliveryTarget,
  response: StreamResponse,
  channels: ChannelName | readonly ChannelName[],
  options: SubscribeOptions<EventStream> | undefined,
): void {
  const names = namesOf(channels);
  const { from, filter } = readSubscribeOptions(options);
  if (!response.isOpen) {
    markRejected(response, stream.lastEventId);
    return;
  }
  const onError = (error: unknown) => stream.report(error, 'subscribe');
  const bound = filter && guardFilter(filter, stream, onError);
  const isDefault = from === undefined && filter === undefined;
  deliveryOf(stream, response).subscribe(names, isDefault ? DEFAULTS : { from, filter: bound });
}

/** Changes the subscriptions of an open stream, after all entries up to the position of the change were delivered. */
export function changeSubscriptions(
  stream: DeliveryTarget & { readonly response: StreamResponse },
  change: SubscriptionChange,
): void {
  const { response } = stream;
  const isFirst = response.delivery === undefined;
  const delivery = change.type === 'subscribe' ? deliveryOf(stream, response) : response.delivery;
  if (delivery === undefined) return;
  delivery.changes ??= new DeliveryChanges(delivery.subscriptions, stream, delivery, isFirst);
  delivery.changes.add(change);
}

/** Returns the delivery of an open response. Creates it at the first subscription. */
function deliveryOf(stream: DeliveryTarget, response: StreamResponse): StreamDelivery {
  if (response.delivery === undefined) {
    response.delivery = new StreamDelivery(stream);
    if (response.headersSent) response.delivery.opener.startSoon();
  }
  return response.delivery;
}
