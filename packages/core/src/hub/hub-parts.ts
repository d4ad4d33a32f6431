import { Scheduler } from '../base/scheduler.ts';
import { DeliveryLoop } from '../delivery/delivery-loop.ts';
import type { DeliveryContext } from '../delivery/delivery-target.ts';
import { BrokerSync } from '../log/broker/broker-sync.ts';
import { PublishQueue } from '../log/broker/publish-queue.ts';
import { Log } from '../log/log.ts';
import type { Position } from '../protocol/event-id.ts';
import type { ErrorContext } from '../stream/event-stream.ts';
import type { Stream } from '../stream/stream.ts';
import type { ControlChannel } from './access/control-channel.ts';
import { createControlChannel } from './access/create-control-channel.ts';
import { BrokerCalls } from './broker-calls.ts';
import { Clients } from './clients.ts';
import { OWN_CHANNELS } from './control.ts';
import type { PublishFields } from './hub-channel.ts';
import { Listeners } from './listening/listeners.ts';
import { Counters } from './observability/counters.ts';
import type { HubStats } from './observability/hub-stats.ts';
import { Processes } from './observability/processes.ts';
import { readStats } from './observability/read-stats.ts';
import { SettingsOfChannels } from './options/channel-settings.ts';
import type { HubSettings } from './options/options.ts';
import { countClients, createPresence } from './presence/create-presence.ts';
import type { Presence } from './presence/presence.ts';
import { Producers } from './producing/producers.ts';
import { Publisher } from './publisher.ts';
import { StreamRegistry } from './stream-registry.ts';

/** Bytes of all histories together. */
const MAX_HISTORY_BYTES = 64 * 1024 * 1024;

/** The parts of a hub. */
export interface HubParts {
  readonly settings: HubSettings;
  readonly channelSettings: SettingsOfChannels;
  readonly context: DeliveryContext;
  readonly registry: StreamRegistry;
  readonly clients: Clients<Stream>;
  readonly messages: ControlChannel;
  readonly publisher: Publisher;
  readonly producers: Producers;
  readonly listeners: Listeners;
  readonly processes: Processes;
  readonly presence: Presence | undefined;
  readonly counters: Counters;
  readonly calls: BrokerCalls;
  readonly stats: () => HubStats;
}

/**
 * Creates the parts of a hub, and connects them. Parts call each other only through the options that are passed here.
 */
export function createParts(options: HubSettings): HubParts {
  const report = (error: unknown, context: ErrorContext) => reportTo(options.onError, error, context);
  const counters = new Counters(error => report(error, { stage: 'observer' }));
  if (options.observer !== undefined) counters.observers.add(options.observer);
  const broker = options.broker && counters.timed(options.broker);
  // All parts get the timed broker, so that every call is counted.
  const settings = { ...options, broker };
  const scheduler = new Scheduler(settings.precision);
  const channelSettings = new SettingsOfChannels(settings);
  const settingsOf = (name: string) => channelSettings.of(name);
  const log = new Log({
    settingsOf,
    maxBytes: MAX_HISTORY_BYTES,
    isRemote: broker !== undefined,
    hasChannelField: settings.channelField,
    scheduler,
    onDropped: name => {
      sync?.release(name);
      if (!OWN_CHANNELS.has(name)) counters.dropped(name);
    },
  });
  const sync =
    broker &&
    new BrokerSync(broker, log, {
      onError: error => report(error, { stage: 'broker' }),
      onControl: entry => messages.receive(entry),
      // The lost messages may have named any client, and any stream whose id was read.
      onControlLost: () => void registry.disconnectNamed(),
    });
  const queue = broker && sync && new PublishQueue(broker, sync, settings.publishTimeout);
  const context: DeliveryContext = {
    log,
    loop: new DeliveryLoop(log, settings.fanOut),
    resetEvent: settings.resetEvent,
    sync,
  };
  counters.follow(context.loop);
  const recheck = (stream: Stream) => registry.recheck(stream, true);
  const clients: Clients<Stream> = new Clients({
    send: message => messages.send(message),
    recheck,
    count: () => countClients(calls, presence, clients, broker !== undefined),
  });
  const stop = (channel: string, position: Position) => producers.stop(channel, position);
  const messages = createControlChannel({
    log,
    queue,
    clients,
    recheck,
    stop,
    describe: isOwn => processes.asked(isOwn),
  });
  const publisher = new Publisher({
    log,
    queue,
    settingsOf,
    onPublished: channel => counters.published(channel),
    onError: (error, channel) => {
      counters.notPublished(error);
      report(error, { stage: 'publish', channel });
    },
  });
  const publish = (channel: string, data: unknown, fields?: PublishFields) =>
    publisher.publish(channel, data, fields);
  const producers = new Producers({
    log,
    publish,
    end: channel => publisher.appendMark(channel, 'end'),
    onError: (error, channel) => report(error, { stage: 'source', channel }),
  });
  const listeners = new Listeners(context, error => report(error, { stage: 'listen' }));
  const processes = new Processes({
    scheduler,
    messages,
    queue,
    listeners,
    readStats: () => stats(),
    onError: error => report(error, { stage: 'listen' }),
  });
  const presence = createPresence(settings, sync, {
    scheduler,
    listeners,
    clients,
    publish,
    onError: error => report(error, { stage: 'presence' }),
  });
  const calls = new BrokerCalls({
    log,
    broker,
    sync,
    timeout: settings.publishTimeout,
    localState: channel => publisher.localState(channel),
  });
  const registry = new StreamRegistry({
    settings,
    scheduler,
    context,
    clients,
    counters,
    presence,
    onError: report,
  });
  const stats = () => readStats(registry.streams, clients.size, context, counters, queue);
  return {
    settings,
    channelSettings,
    context,
    registry,
    clients,
    messages,
    publisher,
    producers,
    listeners,
    processes,
    presence,
    counters,
    calls,
    stats,
  };
}

function reportTo(onError: HubSettings['onError'], error: unknown, context: ErrorContext): void {
  // `onError` may throw, or return a promise that rejects.
  new Promise(resolve => {
    resolve(onError(error, context));
  }).catch(failure => console.error('tidings: onError failed:', failure));
}
