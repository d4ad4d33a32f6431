import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';

export interface Running {
  origin: string;
  /** `server.close()`: resolves when every connection has ended. */
  stop(): Promise<void>;
  /** Ends what is left, so that no test waits for another's connections. */
  kill(): void;
}

// biome-ignore lint/suspicious/noExplicitAny: what frameworks call a listener differs in detail
type Listener = (req: any, res: any) => void;

/** Listens on a free port of the loopback interface. */
export async function listen(listener: Listener, options: { http2?: boolean } = {}): Promise<Running> {
  return run(options.http2 ? http2.createServer(listener) : http.createServer(listener));
}

export async function run(server: Server): Promise<Running> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  if (!server.listening) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => new Promise(resolve => server.close(() => resolve())),
    kill() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

// Below the ports that the kernel gives to connections, so that none of those takes one before its program does, and
// above 10080, the last that `fetch` and browsers refuse ("bad port"). Each worker begins somewhere else.
let nextPort = 10_081 + Math.floor(Math.random() * 20_000);

/** A port that nobody listens on, for a program that has to be told one. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = nextPort++;
    const server = net.createServer().listen(port, '127.0.0.1');
    const isFree = await Promise.race([
      once(server, 'listening').then(() => true),
      once(server, 'error').then(() => false),
    ]).catch(() => false);
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
