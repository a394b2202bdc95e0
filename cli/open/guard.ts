/**
 * Who may read what is served. It has no password, so what protects it is where it listens (loopback) and that no page of
 * another site can read it: such a page can make a browser ask, but under the name of its own site (DNS rebinding) or as
 * cross-site, and both are refused.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** Sent with every answer. Scripts and requests of a page stay with the server that gave it out. */
export const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

/** Of files that a browser shows by themselves: they run nothing. */
export const FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

export interface Refusal {
  readonly status: number;
  readonly words: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @param names hosts under which this server may be asked, besides localhost and plain addresses, which no other site can have */
export function refusalOf({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>, names: ReadonlySet<string>): Refusal | null {
  const host = hostName(headers.host);
  if (host === null || !(host === 'localhost' || isIP(host) !== 0 || names.has(host))) {
    return { status: 403, words: 'Nothing is served under that name. Ask by address or as localhost, or start ropesweep open with --host NAME.' };
  }
  if (headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-mode'] !== 'navigate') return { status: 403, words: 'Pages of other sites may not read this.' };
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, words: 'This server only shows.', headers: { allow: 'GET, HEAD' } };
  return null;
}

/** Without port and brackets, in lower case; null where it is no host. */
function hostName(header: string | undefined): string | null {
  const [, address, name] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::\d{1,5})?$/i.exec(header ?? '') ?? [];
  return (address ?? name)?.toLowerCase() ?? null;
}
