import http from 'node:http';
import https from 'node:https';
import type { TestRequest } from './request.ts';
import type { TestResponse } from './response.ts';

/** Sends a request over a separate connection. */
export function sendOverHttp(
  origin: URL,
  testRequest: TestRequest,
  signal: AbortSignal,
): Promise<TestResponse> {
  const { method, path, headers, body } = testRequest;
  const { request, Agent } = origin.protocol === 'https:' ? https : http;
  // The connection stays open after the response, like that of a browser, unless the server closes it.
  const agent = new Agent({ keepAlive: true });
  return new Promise((resolve, reject) => {
    const req = request(new URL(path, origin), { method, headers, agent });
    const onAbort = () => req.destroy(signal.reason);
    signal.addEventListener('abort', onAbort);
    // A test that does not close its client still ends.
    req.on('socket', socket => socket.unref());
    req.on('error', error => {
      signal.removeEventListener('abort', onAbort);
      agent.destroy();
      reject(error);
    });
    req.on('response', res => {
      signal.removeEventListener('abort', onAbort);
      resolve(toTestResponse(res, () => agent.destroy()));
    });
    req.end(body);
  });
}

function toTestResponse(res: http.IncomingMessage, disconnect: () => void): TestResponse {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(res.headersDistinct)) {
    for (const value of values) headers.append(name, value);
  }
  return {
    status: res.statusCode as number,
    headers,
    read: onChunk =>
      new Promise(resolve => {
        res.on('data', onChunk);
        // An aborted response emits an error. `complete` is false then.
        res.on('error', () => {});
        res.on('close', () => {
          disconnect();
          resolve(res.complete);
        });
      }),
    pause: () => res.pause(),
    resume: () => res.resume(),
    abort: () => res.destroy(),
  };
}
