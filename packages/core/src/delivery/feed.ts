import type { Frame } from '../protocol/frame.ts';
import { Held } from './direct-send-queue.ts';
import { Cursor, type CursorHost } from './log-reader.ts';

/** What a feed needs of its stream. */
export interface FeedHost extends CursorHost {
  readonly hasRoom: boolean;
  write(frame: Frame): void;
  /** What was sent while the stream was behind has gone out. */
  caughtUp(): void;
  /** All of its channels have ended, and it has been given everything. */
  finish(reason: 'ended', last: Frame): void;
}

/**
 * When one stream is given what is next: what the log has for it, what the application has sent, and the end, each in
 * its place.
 */
export abstract class Feed<Host extends FeedHost> extends Cursor<Host> {
  /** `left`: it has left all channels, for good. The work list may still name it. */
  protected state: 'new' | 'begun' | 'left' = 'new';
  /** It can go on, and its turn has yet to come: until then, nothing that it needs leaves. */
  #isWoken = false;
  #isTaking = false;
  /** Made when it is needed: most streams are never behind. */
  #held: Held | undefined;

  /** A broker is asked for what it needs: nothing is written meanwhile. */
  protected abstract get isLoading(): boolean;

  get heldBytes(): number {
    return this.#held?.bytes ?? 0;
  }

  protected get held(): Held | undefined {
    return this.#held;
  }

  protected get isReady(): boolean {
    return this.state === 'begun' && !this.isLoading;
  }

  /** Nothing is to be written but what the log has. */
  protected get isIdle(): boolean {
    return this.isClear && !this.#held?.isPending;
  }

  /** Writes what the stream is to get, as far as there is room. */
  catchUp(): void {
    // A filter may send, subscribe or close, which all end here again.
    if (!this.isReady || this.#isTaking) return;
    if (this.#isWoken) {
      this.#isWoken = false;
      for (const subscription of this.subscriptions) subscription.channel.pins.delete(subscription);
      this.keepWhatWaits();
    }
    this.#isTaking = true;
    try {
      while (this.host.hasRoom) {
        const frame = this.#take();
        if (frame === undefined) break;
        this.host.write(frame);
      }
      if (this.#held !== undefined && this.heldBytes === 0) this.host.caughtUp();
    } catch (error) {
      this.host.failed(error);
    } finally {
      this.#isTaking = false;
    }
  }

  /** Puts what the application sends in its place behind what was published before. To be called after `catchUp`. */
  send(frame: Frame): void {
    const isAtHead = this.isReady && this.isIdle && !this.#isTaking && this.position >= this.log.head;
    if (isAtHead && this.host.hasRoom) this.host.write(frame);
    else {
      // How far this node is behind its broker is known when the first channels have been asked for.
      const isUnknown = this.state === 'new' && this.isLoading;
      this.#holding.push(frame, isUnknown ? Number.POSITIVE_INFINITY : this.log.head);
    }
  }

  /** Calls back when the stream has been given all that was published before, if that is there to be given. */
  close(done: () => void): void {
    if (this.isLoading || this.isWaiting) {
      this.#held?.settle(0);
      for (let frame = this.#held?.take(0); frame !== undefined; frame = this.#held?.take(0)) {
        this.host.write(frame);
      }
      done();
      return;
    }
    this.#holding.end(this.log.head, done);
    this.catchUp();
  }

  /** What to send in place of a heartbeat, when the client's id has fallen behind what it has been given. */
  marker(): Frame | undefined {
    return this.isReady && this.isIdle ? this.tellHead() : undefined;
  }

  /** It can go on, and is going to be visited. */
  protected awaitTurn(): void {
    this.#isWoken = true;
    this.keepWhatWaits();
  }

  protected keepWhatWaits(): void {
    this.keepNothing();
    if (this.state !== 'begun') return;
    if (this.isLoading || this.isWaiting) this.keep(true);
    // What has nothing older is kept by its subscriptions, which takes no memory of its own.
    else if (this.#isWoken) this.keep(false);
  }

  /** The next thing to write; undefined when the stream is at the head. */
  #take(): Frame | undefined {
    while (this.isReady) {
      if (!this.isClear) return this.takeFirst();
      const frame = this.#held?.take(this.position) ?? this.takeUpTo(this.#held?.next ?? this.log.head);
      if (frame !== undefined) return frame;
      if (!this.isReady) break;
      // A filter may have subscribed, or sent.
      if (!this.isIdle) continue;
      const end = this.#held?.onEnd;
      if (end !== undefined) {
        end();
        break;
      }
      if (!this.hasHadAll) return this.tellFirst();
      // That closes the stream, which has it end here.
      this.host.finish('ended', this.mark('.'));
      if (this.#held?.onEnd === undefined) break;
    }
    return undefined;
  }

  get #holding(): Held {
    this.#held ??= new Held();
    return this.#held;
  }
}
