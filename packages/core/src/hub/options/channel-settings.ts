import type { ChannelSettings } from '../../log/keep.ts';
import { OWN_CHANNELS } from '../control.ts';
import { PRESENCE_CHANNEL } from '../presence/presence-options.ts';
import type { ChannelOptions } from './channel-options.ts';
import type { HubSettings } from './options.ts';

/** The settings of each channel of a hub. */
export class SettingsOfChannels {
  readonly #hub: Pick<HubSettings, 'channel' | 'presence'>;
  /** The settings from calls of `hub.channel(name, options)`. */
  readonly #pinned = new Map<string, ChannelSettings>();

  constructor(hub: Pick<HubSettings, 'channel' | 'presence'>) {
    this.#hub = hub;
  }

  of(name: string): ChannelSettings {
    if (name === this.#hub.presence?.channel) return PRESENCE_CHANNEL;
    return OWN_CHANNELS.get(name) ?? this.#pinned.get(name) ?? this.#hub.channel(name);
  }

  pin(name: string, options: ChannelOptions): ChannelSettings {
    const settings = this.#hub.channel(name, options);
    this.#pinned.set(name, settings);
    return settings;
  }
}
