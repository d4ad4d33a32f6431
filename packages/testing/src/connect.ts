import { TestClient } from './client.ts';
import type { ConnectOptions } from './request.ts';
import { hostOf, type Target } from './target.ts';

/**
 * Connects to a server. Resolves with a client, whatever the status of the response.
 *
 * A target that does not listen yet is served on a free port of 127.0.0.1 until the client is closed. A Fetch
 * application is called in this process, without a socket.
 *
 * @param target an application, a server, a request listener, or a URL.
 * @param path the path and query of the request. If the target is a URL, the path is resolved against it.
 * @param options method, headers and body of the request, Last-Event-ID and timeout. Default: a GET request.
 * @throws {TypeError} `target`, `path` or `body` has a wrong type; the message names the accepted ones.
 * @throws {Error} no response within `timeout`, or the connection failed: that is the `cause`.
 */
export async function connect(
  target: Target,
  path: string,
  options: ConnectOptions = {},
): Promise<TestClient> {
  const client = new TestClient(await hostOf(target), path, options);
  try {
    return await client.reconnect();
  } catch (error) {
    await client.close();
    throw error;
  }
}
