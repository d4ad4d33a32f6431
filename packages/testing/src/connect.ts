import { TestClient } from './client.ts';
import type { ConnectOptions } from './request.ts';
import { hostOf, type Target } from './target.ts';

/**
 * Connects to a server, whatever its response: see `status`.
 *
 * A target that does not listen yet is served at a free port of 127.0.0.1 until the client is closed; a Fetch
 * application is called in this process, without a socket.
 *
 * @param path with its query; with a URL for a target, resolved against that.
 * @throws {TypeError} `target`, `path` or `body` cannot be used; the message says what they may be.
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
