import type { Refusal } from '../control/channel-sync.ts';
import type { Control } from '../control/control.ts';
import type { Lock } from './lock.ts';
import type { Message } from './messages.ts';

/** Creates {@link Tabs}. The other arguments of the constructor are already bound. */
export type CreateTabs = (post: (message: Message) => void, LockClass: typeof Lock) => Tabs;

/** The role of a tab: see SharedConnection. */
export type Role = 'away' | 'joining' | 'catching' | 'following' | 'leading';

/**
 * Exchanges the channels of the control route between tabs that share a stream. Each tab holds its own lock while it is
 * open. The leader requests the locks of the other tabs, and gets the lock of a tab when that tab is closed.
 */
export class Tabs {
  readonly #control: Control;
  readonly #post: (message: Message) => void;
  readonly #self = crypto.randomUUID();
  readonly #lockOf: (tab: string, onWon: () => void) => Lock;
  /** Held while this tab is open. */
  readonly #ownLock: Lock;
  #hasOwnLock = false;
  #role: Role = 'away';
  /** In the role `leading`: the requested locks of the other tabs. */
  readonly #others = new Map<string, Lock>();

  constructor(name: string, control: Control, post: (message: Message) => void, LockClass: typeof Lock) {
    this.#control = control;
    this.#post = post;
    this.#lockOf = (tab, onWon) => new LockClass(`${name} ${tab}`, onWon, () => {});
    this.#ownLock = this.#lockOf(this.#self, () => {
      this.#hasOwnLock = true;
      this.#announce();
    });
    control.onChange = () => this.#announce();
  }

  become(role: Role): void {
    this.#role = role;
    for (const tab of this.#others.keys()) this.#drop(tab);
    if (role === 'away') {
      this.#ownLock.release();
      this.#hasOwnLock = false;
    } else if (!this.#hasOwnLock) this.#ownLock.seek();
    this.#announce();
  }

  /**
   * Sends the channels of this tab to the leader. Not without the own lock: the leader would treat the tab as closed.
   */
  #announce(): void {
    if (!this.#hasOwnLock || this.#role !== 'following') return;
    const announcement = this.#control.announce();
    if (announcement) this.#post({ type: 'channels', tab: this.#self, ...announcement });
  }

  hear(message: Message): void {
    const role = this.#role;
    if (message.type === 'channels' && role === 'leading') this.#take(message);
    // In other roles, a tab adds the channels to its own stream, and announces them again when it follows.
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
