/** What a server wrote into its log since a start, and what of it a person is shown. */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';

/** A start that fails writes less; a stack trace alone takes several kB. */
const MOST_READ = 2 ** 16;
const MOST_SHOWN = 4_096;
/** Where the stack traces of a Go program begin, behind the sentence that says why it panicked. */
const GO_TRACE = /^goroutine \d+ \[/m;

/** @param start size of the log before; a log that became shorter is read from its beginning */
export function logSince(logFile: string, start: number): string {
  if (!existsSync(logFile)) return '';
  const end = statSync(logFile).size;
  const from = Math.max(start <= end ? start : 0, end - MOST_READ);
  const buffer = Buffer.alloc(end - from);
  const file = openSync(logFile, 'r');
  try {
    readSync(file, buffer, 0, buffer.length, from);
  } finally {
    closeSync(file);
  }
  return buffer.toString('utf8').trim();
}

/** The last lines without stack traces; the log itself keeps them. */
export function endOfLog(said: string): string {
  const trace = said.search(GO_TRACE);
  return (trace < 0 ? said : said.slice(0, trace)).trim().slice(-MOST_SHOWN);
}
