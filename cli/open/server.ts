/** The server: whom it answers, and how answers go out. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf, RopesweepError } from '../../domain/errors.js';
import { answerTo, plain, type Answer, type Served } from './answers.js';
import { refusalOf, SECURITY_HEADERS } from './guard.js';

/** @param names hosts under which it may be asked, besides localhost and plain addresses */
export function reportServer(served: Served, names: ReadonlySet<string>, log: (line: string) => void): Server {
  return createServer((request, response) => {
    void respond(served, names, request, response).catch((error: unknown) => {
      // Whoever asked has gone, or the store went while it was read: what was sent already cannot be taken back.
      if (!isGone(error)) log(`${request.url ?? ''}: ${messageOf(error)}`);
      response.destroy();
    });
  });
}

const isGone = (error: unknown): boolean => error instanceof Error && 'code' in error && (error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error.code === 'ECONNRESET' || error.code === 'EPIPE');

async function respond(served: Served, names: ReadonlySet<string>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answer = await answered(served, names, request);
  const isKnown = answer.headers['etag'] !== undefined && request.headers['if-none-match'] === answer.headers['etag'];
  response.writeHead(isKnown ? 304 : answer.status, { ...SECURITY_HEADERS, 'cache-control': 'no-cache', ...answer.headers });
  if (isKnown || request.method === 'HEAD') response.end();
  else await pipeline(Readable.from(answer.body), response);
}

async function answered(served: Served, names: ReadonlySet<string>, request: IncomingMessage): Promise<Answer> {
  const refusal = refusalOf(request, names);
  if (refusal !== null) return plain(refusal.status, refusal.words, refusal.headers);
  const segments = segmentsOf(request.url ?? '');
  if (segments === null) return plain(400, 'This is no path.');
  try {
    return await answerTo(served, { segments, isRefresh: request.headers['x-ropesweep-refresh'] !== undefined });
  } catch (error) {
    if (!(error instanceof RopesweepError)) throw error;
    return plain(error.code === 'SWEEP_UNKNOWN' ? 404 : 503, error.describe());
  }
}

/** Parts of the path, decoded one by one, so that an encoded slash stays a character of its part. */
function segmentsOf(url: string): string[] | null {
  try {
    const [path = ''] = url.split(/[?#]/);
    return path.startsWith('/') ? path.split('/').slice(1).map(decodeURIComponent).filter((part) => part !== '') : null;
  } catch {
    return null;
  }
}
