/**
 * Files of documents: one file, or those of a folder whose ending says that they hold texts.
 *
 * Order: by file name in code-unit order, runs of digits as numbers, so that chapter_2 stands before chapter_10.
 * Folders inside the folder and files with other endings are left out; links are followed.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { whyUnreadable } from '../domain/errors.js';
import { DOCUMENT_FORMATS, type DocumentFormat } from '../domain/task.js';
import type { DocumentFile } from './documentTexts.js';
import { invalidDocuments } from './invalidDocuments.js';

const ENDINGS = DOCUMENT_FORMATS.map((format) => `.${format}`).join(', ');

/**
 * @param documents absolute path of a file or folder
 * @param resolvePath where a file really lies; may refuse it
 * @throws RopesweepError DOCUMENTS_INVALID if there is nothing to read; what resolvePath throws
 */
export async function documentFiles(documents: string, resolvePath: (file: string) => Promise<string> = realpath): Promise<DocumentFile[]> {
  if (!(await statOf(documents)).isDirectory()) {
    const format = formatOf(documents);
    if (format === undefined) throw invalidDocuments(documents, 'its ending does not say how it holds documents', `Use a file with the ending ${ENDINGS}.`);
    return [{ file: await resolvePath(documents), name: path.basename(documents), format }];
  }
  const files: DocumentFile[] = [];
  for (const name of (await readdir(documents)).sort(byName)) {
    const format = formatOf(name);
    if (format === undefined) continue;
    const written = path.join(documents, name);
    if ((await statOf(written)).isFile()) files.push({ file: await resolvePath(written), name, format });
  }
  if (files.length === 0) throw invalidDocuments(documents, `the folder has no file with the ending ${ENDINGS}`, 'Name the folder that holds the documents itself: folders inside it are not searched.');
  return files;
}

const formatOf = (name: string): DocumentFormat | undefined => DOCUMENT_FORMATS.find((format) => name.toLowerCase().endsWith(`.${format}`));

async function statOf(file: string) {
  try {
    return await stat(file);
  } catch (cause) {
    throw invalidDocuments(file, whyUnreadable(cause), 'Correct the path (relative to the sweep file), or mend the link.', cause);
  }
}

/** Code-unit order of names, in which a run of digits stands for its number; names that differ in leading zeros keep code-unit order. */
function byName(a: string, b: string): number {
  const [ours, theirs] = [a.split(DIGITS), b.split(DIGITS)];
  for (let part = 0; part < Math.min(ours.length, theirs.length); part += 1) {
    // Odd parts are the runs of digits.
    const [mine = '', other = ''] = part % 2 === 0 ? [ours[part], theirs[part]] : [numeral(ours[part]), numeral(theirs[part])];
    const order = part % 2 === 1 && mine.length !== other.length ? mine.length - other.length : codeUnitOrder(mine, other);
    if (order !== 0) return order;
  }
  return codeUnitOrder(a, b);
}

const DIGITS = /([0-9]+)/;
const numeral = (digits = ''): string => digits.replace(/^0+/, '');
const codeUnitOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
