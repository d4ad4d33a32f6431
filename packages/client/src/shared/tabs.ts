import type { Refusal } from '../control/channel-sync.ts';
import type { Control } from '../control/control.ts';
import type { Lock } from './lock.ts';
import type { Message } from './messages.ts';

/** {@link Tabs}, with what the tab knows already. */
export type CreateTabs = (post: (message: Message) => void, LockClass: typeof Lock) => Tabs;

/** What a tab does for the others; see SharedConnection. */
export type Role = 'away' | 'joining' | 'catching' | 'following' | 'leading';

/**
 * The channels of the tabs that share a stream, as they follow them by the control route. Each tab holds a lock as long as
 * it lives: the leader asks for the locks of the others, and so notices when one is gone.
 */
export class Tabs {
  readonly #control: Control;
  readonly #post: (message: Message) => void;
  readonly #self = crypto.randomUUID();
  readonly #lockOf: (tab: string, onWon: () => void) => Lock;
  readonly #life: Lock;
  /** The lock is held. */
  #isAlive = false;
  #role: Role = 'away';
  /** Of a leader. */
  readonly #others = new Map<string, Lock>();

  constructor(name: string, control: Control, post: (message: Message) => void, LockClass: typeof Lock) {
    this.#control = control;
    this.#post = post;
    this.#lockOf = (tab, onWon) => new LockClass(`${name} ${tab}`, onWon, () => {});
    this.#life = this.#lockOf(this.#self, () => {
      this.#isAlive = true;
      this.#announce();
    });
    control.onChange = () => this.#announce();
  }

  become(role: Role): void {
    this.#role = role;
    for (const tab of this.#others.keys()) this.#drop(tab);
    if (role === 'away') {
      this.#life.release();
      this.#isAlive = false;
    } else if (!this.#isAlive) this.#life.seek();
    this.#announce();
  }

  /** Tells the leader what this tab follows, unless the leader could take the tab for gone. */
  #announce(): void {
    if (!this.#isAlive || this.#role !== 'following') return;
    const announcement = this.#control.announce();
    if (announcement) this.#post({ type: 'channels', tab: this.#self, ...announcement });
  }

  hear(message: Message): void {
    const role = this.#role;
    if (message.type === 'channels' && role === 'leading') this.#take(message);
    // A tab with a connection of its own has its own stream given the channels, and announces them when it follows again.
    else if (message.type === 'stored' && message.tab === this.#self && role === 'following') {
      this.#control.acknowledge(message.version, message.error, message.refused, message.positions);
    }
  }

  async #take(announcement: Extract<Message, { type: 'channels' }>): Promise<void> {
    const { tab, version } = announcement;
    if (!this.#others.has(tab)) {
      const lock = this.#lockOf(tab, () => this.#drop(tab));
      this.#others.set(tab, lock);
      lock.seek();
    }
    const result = await this.#control.take(tab, announcement).then(
      positions => ({ error: undefined, refused: [], positions }),
      ({ message, channels = [] }: Refusal) => ({ error: message, refused: channels, positions: [] }),
    );
    // Another tab may lead by now.
    if (this.#others.has(tab)) this.#post({ type: 'stored', tab, version, ...result });
  }

  #drop(tab: string): void {
    this.#others.get(tab)?.release();
    this.#others.delete(tab);
    this.#control.drop(tab);
  }
}
