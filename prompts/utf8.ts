/**
 * Text files as streams: whole files are never held, and bytes that are not UTF-8 are an error, not a replacement character.
 */
import { createReadStream } from 'node:fs';
import { whyUnreadable } from '../domain/errors.js';
import { invalidDocuments } from './invalidDocuments.js';

/** A line longer than this (UTF-16 code units) is no row of a data set. */
const LONGEST_LINE = 2 ** 28;

/** A file's text in pieces; a byte order mark at its start is left out. */
export async function* utf8Pieces(file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let decoded = 0;
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
    } catch (cause) {
      throw invalidDocuments(file, `it is not UTF-8 (somewhere after byte ${decoded})`, 'Convert the file to UTF-8.', cause);
    }
  };
  for await (const bytes of bytesOf(file)) {
    yield decode(bytes);
    decoded += bytes.length;
  }
  yield decode();
}

async function* bytesOf(file: string): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(file, { highWaterMark: 1 << 20 });
  try {
    for await (const bytes of stream) yield bytes as Uint8Array;
  } catch (cause) {
    throw invalidDocuments(file, whyUnreadable(cause), 'Correct the path, or make the file readable.', cause);
  } finally {
    stream.destroy();
  }
}

/** Lines without their line feeds. */
export async function* lines(file: string): AsyncGenerator<string> {
  let rest = '';
  let count = 0;
  for await (const piece of utf8Pieces(file)) {
    const parts = piece.split('\n');
    parts[0] = rest + (parts[0] ?? '');
    rest = parts.pop() ?? '';
    count += parts.length;
    if (rest.length > LONGEST_LINE) throw invalidDocuments(`${file}:${count + 1}`, `the line is longer than ${LONGEST_LINE} characters`, 'Write one JSON object a line.');
    yield* parts;
  }
  if (rest !== '') yield rest;
}
