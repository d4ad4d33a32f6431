import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy on loopback that injects the faults of a network. */
export class FaultyProxy {
  /** Where new connections lead. */
  target: number;
  /** Drops bytes from the server. */
  losesAnswers = false;
  /** Called with what clients send, before it is forwarded. It is dropped if this returns false. */
  onRequest: ((text: string) => unknown) | undefined;
  /** Changes what the server sends. The length has to stay the same. */
  onReply: ((text: string) => string) | undefined;
  readonly #server = net.createServer(client => this.#connect(client));
  readonly #pairs = new Set<[client: Socket, upstream: Socket]>();
  readonly #subscribed = new Set<[client: Socket, upstream: Socket]>();
  #isStalled = false;

  private constructor(target: number) {
    this.target = target;
  }

  static async start(target: number): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Forwards nothing in either direction; connections stay open. */
  stall(): void {
    this.#isStalled = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  resume(): void {
    this.#isStalled = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  /** Forwards nothing more from the server to subscribed clients; their connections stay open. */
  muteSubscriptions(): void {
    for (const pair of this.#subscribed) pair[1].pause();
  }

  /** Resets the connections that are not subscribed. */
  cutOthers(): void {
    for (const pair of this.#pairs) {
      if (!this.#subscribed.has(pair)) for (const socket of pair) socket.resetAndDestroy();
    }
  }

  /** Resets all connections, at both ends. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #connect(client: Socket): void {
    const upstream = net.connect(this.target, '127.0.0.1');
    const pair: [Socket, Socket] = [client, upstream];
    this.#pairs.add(pair);
    client.on('data', data => {
      const text = data.toString('latin1');
      if (/subscribe/i.test(text)) this.#subscribed.add(pair);
      if (this.onRequest?.(text) !== false) upstream.write(data);
    });
    upstream.on('data', data => {
      if (this.losesAnswers) return;
      const { onReply } = this;
      client.write(onReply === undefined ? data : Buffer.from(onReply(data.toString('latin1')), 'latin1'));
    });
    for (const socket of pair) {
      if (this.#isStalled) socket.pause();
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#pairs.delete(pair);
        this.#subscribed.delete(pair);
        client.destroy();
        upstream.destroy();
      });
    }
  }
}
