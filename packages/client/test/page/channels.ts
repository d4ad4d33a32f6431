/** As a server writes it. */
export interface Channels {
  prices: { tick: { symbol: string; price: number; at: Date }; halt: { symbol: string } };
  news: { message: { title: string }; halt: { reason: string } };
  [user: `user:${string}`]: { notice: { text: string } };
}

/** One of them has events whose data is text. */
export interface Answers {
  answer: { message: string; usage: { tokens: number } };
}
