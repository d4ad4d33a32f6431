import type { CloseReason, ErrorContext, EventStream } from '../event-stream.ts';
import type { EndOptions } from '../response/closing.ts';
import type { StreamResponse } from '../response/response.ts';
import { FINISHED_ID } from '../response/response-head.ts';
import { pump } from './source.ts';
import type { SourceInput, SourceOptions } from './source-options.ts';

/** The stream that sends. */
interface SourceStream extends EventStream {
  end(reason: CloseReason, options?: EndOptions): void;
  report(error: unknown, stage: ErrorContext['stage']): void;
}

/**
 * Sends the items of a source to one stream, and ends the stream after the last item. See {@link EventStream.stream}.
 */
export async function sendSource<T>(
  stream: SourceStream,
  response: StreamResponse,
  source: SourceInput<T>,
  options: SourceOptions<T>,
): Promise<boolean> {
  if (response.hasReceivedAll) response.respond(204);
  const report = (error: unknown) => stream.report(error, 'source');
  try {
    const isComplete = await pump(stream, source, options, report);
    if (isComplete && options.end !== false)
      stream.end('ended', response.kind.isGet ? { id: FINISHED_ID } : {});
    return isComplete;
  } catch (error) {
    report(error);
    stream.end('error');
    return false;
  }
}
