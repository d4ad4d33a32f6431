import type { PageRequest } from './request.ts';

/** Proxies add one of these. Behind a proxy on the same machine, everybody comes from a loopback address. */
const FORWARDED = [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'cf-connecting-ip',
];

/**
 * Why a request is refused; undefined if it is not. With `authorize`, the application decides. Without it, only a browser
 * on this machine is let in, and not in production. The Host is checked as well: with DNS rebinding, the page of an
 * attacker has a name of its own that resolves to 127.0.0.1.
 */
export async function refusalOf(request: PageRequest): Promise<string | undefined> {
  if (isForeign(request)) return 'The inspector refuses requests from other origins.';
  if (request.authorize !== undefined) {
    return (await request.authorize()) === true ? undefined : 'Not authorized.';
  }
  if (process.env.NODE_ENV === 'production')
    return 'If NODE_ENV is production, the inspector requires the option `authorize`.';
  // By default, nginx forwards requests as HTTP/1.0, and adds none of these headers. Browsers send HTTP/1.1.
  const isDirect =
    isLoopback(request.remoteAddress) &&
    request.httpVersion !== '1.0' &&
    FORWARDED.every(name => request.header(name) === undefined);
  if (isDirect && isLocalHost(request.header('host'))) return undefined;
  return 'Without the option `authorize`, the inspector opens only on a loopback address.';
}

/** Whether the page of another origin made the request. A link may lead here. */
function isForeign(request: PageRequest): boolean {
  // No page can set this header. Browsers send it over HTTPS and to the own machine. Behind a proxy, Host may be another
  // than that of the page.
  const site = request.header('sec-fetch-site');
  if (site !== undefined) {
    const isLink = request.method === 'GET' && request.header('sec-fetch-mode') === 'navigate';
    return site !== 'same-origin' && site !== 'none' && !isLink;
  }
  const origin = request.header('origin');
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== request.header('host');
}

function isLoopback(address = ''): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}

function isLocalHost(host = ''): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return (
    name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127(\.\d+){3}$/.test(name)
  );
}
