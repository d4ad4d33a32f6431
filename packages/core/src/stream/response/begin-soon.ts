import { nextTurn, type TurnBudget } from '../../base/event-loop.ts';

/** A response that has not begun. */
interface Pending {
  /** Sent, or never to be. */
  readonly headersSent: boolean;
  readonly isClosed: boolean;
  begin(): void;
}

/**
 * Begins a response when a handler that failed synchronously would have been answered by the framework. That takes two
 * turns: Express's last error handler responds when the request has emitted 'end', which is after one.
 *
 * @param budget the time that responses may take to begin in one turn.
 */
export function beginSoon(response: Pending, budget: TurnBudget): void {
  const begin = () => {
    if (response.headersSent || response.isClosed) return;
    // Of thousands of requests at once, some wait for another turn, so that open streams get theirs.
    if (budget.isSpent) nextTurn(begin);
    else response.begin();
  };
  nextTurn(() => nextTurn(begin));
}
