/**
 * Documents as pieces of files: every row by itself, or all texts joined and cut; found when planning, read again in a slot.
 */
import type { DocumentSource } from '../domain/task.js';
import { documentFiles } from './documentFiles.js';
import { documentTexts, leading, LONGEST_TEXT, type DocumentFile } from './documentTexts.js';
import { invalidDocuments } from './invalidDocuments.js';
import { utf8Pieces } from './utf8.js';

/** A document's text with the place where it is read again. */
export interface FoundText {
  /** For people: file name and row. */
  readonly name: string;
  readonly source: DocumentSource;
  readonly text: string;
}

/** Every row of the files in order. */
export async function* rowTexts(files: readonly DocumentFile[], field: string): AsyncGenerator<FoundText> {
  for (const { file, name, format } of files) {
    for await (const { row, text } of documentTexts({ file, format }, field)) {
      yield { name: row === null ? name : `${name} row ${row + 1}`, source: { kind: 'row', file, format, field, row }, text };
    }
  }
}

/**
 * All texts of a file or folder joined, a blank line between them, and cut into `count` documents of like length: document i
 * begins with the first line that starts at or after character i / count of the whole.
 * @param root what `files` are the files of
 */
export async function* joinedTexts(root: string, files: readonly DocumentFile[], field: string, count: number): AsyncGenerator<FoundText> {
  let total = 0;
  for await (const piece of joinedPieces(files, field)) total += piece.length;

  let open = { index: 0, start: 0, text: '' };
  const close = (end: number): FoundText => {
    const text = leading(open.text);
    return { name: `part ${open.index + 1} of ${count}`, source: { kind: 'joined', path: root, field, start: open.start, end: Math.min(end, open.start + text.length) }, text };
  };
  let position = 0;
  for await (const piece of joinedPieces(files, field)) {
    let used = 0;
    for (;;) {
      const target = Math.floor(((open.index + 1) * total) / count);
      const lineEnd = open.index + 1 < count ? piece.indexOf('\n', Math.max(used, target - 1 - position)) : -1;
      if (lineEnd < 0) break;
      open.text = extended(open.text, piece.slice(used, lineEnd + 1));
      used = lineEnd + 1;
      yield close(position + used);
      open = { index: open.index + 1, start: position + used, text: '' };
    }
    open.text = extended(open.text, piece.slice(used));
    position += piece.length;
  }
  if (open.text !== '') yield close(position);
}

/** Text that will be cut to LONGEST_TEXT anyway does not grow further. */
const extended = (text: string, more: string): string => (text.length > LONGEST_TEXT ? text : text + more);

async function* joinedPieces(files: readonly DocumentFile[], field: string): AsyncGenerator<string> {
  let first = true;
  for (const { file, format } of files) {
    if (format === 'txt') {
      if (!first) yield '\n\n';
      yield* utf8Pieces(file);
      first = false;
      continue;
    }
    for await (const { text } of documentTexts({ file, format }, field)) {
      yield first ? text : `\n\n${text}`;
      first = false;
    }
  }
}

/**
 * Reads a document's text where the plan found it.
 * @throws RopesweepError DOCUMENTS_INVALID
 */
export async function textAt(source: Extract<DocumentSource, { kind: 'row' | 'joined' }>): Promise<string> {
  if (source.kind === 'joined') return joinedSlice(source);
  const { file, format, field, row } = source;
  for await (const found of documentTexts({ file, format }, field, row ?? 0)) {
    if (found.row === row) return found.text;
    break;
  }
  throw invalidDocuments(file, `it has no text in row ${(row ?? 0) + 1}`, 'Put the file back that the plan read, or plan again.');
}

async function joinedSlice({ path, field, start, end }: Extract<DocumentSource, { kind: 'joined' }>): Promise<string> {
  let text = '';
  let position = 0;
  for await (const piece of joinedPieces(await documentFiles(path), field)) {
    if (position + piece.length > start) text += piece.slice(Math.max(0, start - position), end - position);
    position += piece.length;
    if (position >= end) break;
  }
  return text;
}
