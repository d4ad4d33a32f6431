import { type IterationBudget, nextIteration } from '../../base/event-loop.ts';

/** A response that has not begun. */
interface PendingResponse {
  /** The headers were sent, or will never be sent. */
  readonly headersSent: boolean;
  readonly isClosed: boolean;
  begin(): void;
}

/**
 * Begins a response after two iterations of the event loop. If the handler fails synchronously, the framework has sent
 * its error response by then. One iteration is not enough: Express's last error handler responds after the request has
 * emitted 'end', which is one iteration later.
 *
 * @param budget the time for which responses may begin in one iteration of the event loop.
 */
export function beginSoon(response: PendingResponse, budget: IterationBudget): void {
  const begin = () => {
    if (response.headersSent || response.isClosed) return;
    // With thousands of simultaneous requests, some wait for a later iteration, so that open streams are not blocked.
    if (budget.isSpent) nextIteration(begin);
    else response.begin();
  };
  nextIteration(() => nextIteration(begin));
}
