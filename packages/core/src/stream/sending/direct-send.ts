import type { Comment } from '../../protocol/comment.ts';
import type { Frame } from '../../protocol/frame.ts';
import type { ErrorContext } from '../event-stream.ts';
import type { StreamResponse } from '../response/response.ts';

/** The stream that sends. */
interface Sender {
  readonly lastEventId: string | undefined;
  report(error: unknown, stage: ErrorContext['stage']): void;
}

/**
 * Sends a frame of the application on an open response: immediately, or after the entries that were published before.
 *
 * @returns false if the stream is a slow consumer, or the response is no longer open.
 */
export function sendDirect(stream: Sender, response: StreamResponse, frame: Frame | Comment): boolean {
  // The client has received everything, and the status will be 204.
  if (response.hasReceivedAll) return true;
  const { maxBufferedBytes, bufferedBytesLimit } = response.host.limits;
  // The handler may still subscribe to channels whose events the client has all received. The status is 204 then, so
  // the headers must not be sent yet.
  const mayGet204 = !response.headersSent && response.delivery === undefined && Boolean(stream.lastEventId);
  if (mayGet204 && response.bufferedBytes + frame.length <= maxBufferedBytes) {
    response.writer.write(frame);
    return true;
  }
  // The first frame is sent together with the headers.
  const isFirst = !response.headersSent && response.delivery === undefined;
  // While the opener gathers the subscriptions of this tick, the headers have to wait.
  if (!isFirst && response.delivery?.opener.phase !== 'gathering') response.respond(200);
  if (!response.isOpen) return false;
  const before = response.bufferedBytes;
  const isQueued = isFirst ? before > 0 : !response.isDrained;
  if (isQueued && before + frame.length > bufferedBytesLimit) {
    stream.report(
      new Error(
        `more than ${bufferedBytesLimit} bytes (bufferedBytesLimit) are buffered for one client: await drained()`,
      ),
      'write',
    );
    response.abort('slow');
    return false;
  }
  if (response.delivery === undefined) response.writer.write(frame);
  else response.delivery.send(frame);
  if (isFirst) response.respond(200);
  if (!response.isOpen) return false;
  if (isQueued) response.writer.meter?.buffered(response.bufferedBytes);
  const isOver = before <= maxBufferedBytes && response.bufferedBytes > maxBufferedBytes;
  if (isOver) response.timers.watchOverflow();
  return response.isDrained;
}
