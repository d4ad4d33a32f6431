import { type Client, type RequestOptions, request } from '../support/client.ts';

/** Opens many responses; `atOnce`: no more at a time than a server's queue of connections takes. */
export async function crowd(
  count: number,
  url: string,
  options: RequestOptions & { atOnce?: number } = {},
): Promise<Client[]> {
  const { atOnce = 100, ...rest } = options;
  const clients: Client[] = [];
  while (clients.length < count) {
    const group = Array.from({ length: Math.min(atOnce, count - clients.length) }, () =>
      request(url, '', rest),
    );
    clients.push(...(await Promise.all(group)));
  }
  return clients;
}

/** Resolves when each has been given so many events, markers left out, with all that came, once for all who agree. */
export async function received(clients: Client[], count: number): Promise<string[]> {
  const data = ({ events }: Client) =>
    events.filter(({ event }) => event !== 'tidings').map(event => event.data);
  await Promise.all(clients.map(client => client.until(() => data(client).length >= count)));
  return [...new Set(clients.map(client => data(client).join()))];
}
