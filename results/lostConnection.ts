/**
 * Tells what passes by itself (a lost connection, a deadlock) from every other error of the store. Prisma, its driver
 * adapter and node-postgres each report it in their own way, and a transaction whose connection died reports it as a
 * plain Error.
 */
import { RopesweepError } from '../domain/errors.js';

/** Prisma: not reachable, timed out, socket timeout, connection closed. */
const PRISMA_CODES = new Set(['P1001', 'P1002', 'P1008', 'P1017']);

/** Driver adapter: cause.kind. */
const ADAPTER_KINDS = new Set(['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout', 'TooManyConnections']);

/** Class 08 (connection exceptions), 57P01 to 57P03 (shutdown, crash, starting up), 53300 (too many connections), 25P03 (stood still in a transaction). */
const SQLSTATES = /^(08\w{3}|57P0[123]|53300|25P03)$/;

const SOCKET_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN']);

/** node-postgres and Prisma where they give no code. */
const MESSAGES =
  /^(Client has encountered a connection error and is not queryable|Connection terminated|timeout exceeded when trying to connect|Client was closed and is not queryable)|Unable to start a transaction in the given time/;

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;

/** The error with everything it was caused by: `cause`, and where Prisma keeps the adapter's. */
function* chain(error: unknown): Generator {
  let link: unknown = error;
  for (let depth = 0; depth < 8 && typeof link === 'object' && link !== null; depth += 1) {
    yield link;
    link = field(field(link, 'meta'), 'driverAdapterError') ?? field(link, 'cause');
  }
}

const codesOf = (link: unknown): string[] => [field(link, 'code'), field(link, 'originalCode')].filter((code) => typeof code === 'string');

function isLost(link: unknown): boolean {
  const codes = codesOf(link);
  const kind = field(link, 'kind');
  const message = field(link, 'message');
  return (
    codes.some((code) => PRISMA_CODES.has(code) || SOCKET_CODES.has(code) || SQLSTATES.test(code)) ||
    (typeof kind === 'string' && ADAPTER_KINDS.has(kind)) ||
    (typeof message === 'string' && MESSAGES.test(message))
  );
}

/** SQLSTATE of a deadlock, and Prisma's own word for one. */
const DEADLOCK_CODES = new Set(['40P01', 'P2034']);

/** Whether PostgreSQL broke the transaction off because it and another waited for each other: said again, it passes. */
export const isDeadlock = (error: unknown): boolean => [...chain(error)].some((link) => codesOf(link).some((code) => DEADLOCK_CODES.has(code)));

/** SQLSTATE disk_full. */
const DISK_FULL_CODE = '53100';

/**
 * STORE_LOST if the connection to PostgreSQL was lost or could not be made, DISK_FULL if it has no room; any other error
 * as it is.
 */
export function asStoreError(error: unknown): unknown {
  if (error instanceof RopesweepError) return error;
  const links = [...chain(error)];
  const full = links.some((link) => codesOf(link).includes(DISK_FULL_CODE));
  if (!full && !links.some(isLost)) return error;
  const said = links.map((link) => field(link, 'originalMessage') ?? field(link, 'message')).findLast((text) => typeof text === 'string');
  // Prisma puts a source excerpt before the message: its last line is the message.
  const reason = typeof said === 'string' ? (said.trim().split('\n').at(-1) ?? said) : 'no answer';
  return new RopesweepError(full ? 'DISK_FULL' : 'STORE_LOST', { where: 'PostgreSQL', what: reason }, { cause: error });
}
