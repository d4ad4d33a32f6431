/** As a server writes it. */
export interface Channels {
  prices: { tick: { symbol: string; price: number; at: Date }; halt: { symbol: string } };
  news: { message: string; halt: { reason: string } };
  [user: `user:${string}`]: { notice: { text: string } };
}
