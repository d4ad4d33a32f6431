import { TestClient } from './client.ts';
import { hostOf, type Target } from './target.ts';

/** What to ask for, and how long to wait. */
export interface ConnectOptions {
  /** Default: GET, or POST with a body. */
  method?: string | undefined;
  /** Of the request, beside `accept` and `last-event-id`. */
  headers?: Record<string, string> | undefined;
  /** Sent as it is; say in `headers` what it is. */
  body?: string | undefined;
  /** As if the client had been here before, and this was the id of the last event it saw. */
  lastEventId?: string | undefined;
  /** Ms that the answer, and then each wait, may take. Default: 2,000. */
  timeout?: number | undefined;
}

/**
 * Asks a server for a stream of events, whatever it answers: look at `status`.
 *
 * A target that does not listen yet is served at a free port of 127.0.0.1 until the client is closed; a Fetch
 * application is called in this process, without a socket.
 *
 * @param path with its query; with a URL for a target, resolved against that.
 * @throws {Error} nothing answered within `timeout`, or the connection failed: that is the `cause`.
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
