import type { PageRequest } from './request.ts';

/** Headers that proxies add. Behind a proxy on the same machine, all requests come from a loopback address. */
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
 * Returns why a request is refused. Undefined: it is allowed. With `authorize`, the application decides. Without it,
 * only browsers on this machine are allowed, and none in production. The Host is also checked: with DNS rebinding, the
 * host name of an attacker's page resolves to 127.0.0.1.
 */
export async function refusalOf(request: PageRequest): Promise<string | undefined> {
  if (isForeign(request)) return 'The inspector refuses requests from other origins.';
  if (request.authorize !== undefined) {
    return (await request.authorize()) === true ? undefined : 'Not authorized.';
  }
  if (process.env.NODE_ENV === 'production')
    return 'If NODE_ENV is production, the inspector requires the option `authorize`.';
  // By default, nginx forwards requests as HTTP/1.0 and adds none of these headers. Browsers send HTTP/1.1.
  const isDirect =
    isLoopback(request.remoteAddress) &&
    request.httpVersion !== '1.0' &&
    FORWARDED.every(name => request.header(name) === undefined);
  if (isDirect && isLocalHost(request.header('host'))) return undefined;
  return 'Without the option `authorize`, the inspector opens only on a loopback address.';
}

/** Whether the page of another origin has sent the request. Links from other origins are allowed. */
function isForeign(request: PageRequest): boolean {
  // No page can set this header. Browsers send it over HTTPS and to the local machine. It is checked before Host, which
  // may be another one than that of the page behind a proxy.
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
