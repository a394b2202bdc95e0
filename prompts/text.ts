/**
 * Haystack kind `text`: running text of one or several files, joined by empty lines.
 *
 * A seed draws the sentence it starts with, uniformly; after the last sentence the text goes on with its first. Each
 * sentence is tokenised by itself with the white space before it, so a length never changes the tokens before it.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { RopesweepError, whyUnreadable } from '../domain/errors.js';
import type { HaystackKind, ResolvePath } from './haystackKind.js';
import { randomStream } from '../domain/random.js';
import { sentencesOf } from './sentences.js';
import { sentenceStream } from './stream.js';
import { neededTokenizer } from './tokenizer.js';

export const text: HaystackKind<'text'> = {
  version: 1,

  async resolve(spec, resolvePath) {
    const contents = await read(await textFiles(spec.path, resolvePath), spec.path);
    if (sentencesOf(joined(contents)).length === 0) throw unusable(spec.path, 'there is no text in it');
    return { kind: 'text', files: contents.map(({ file, bytes }) => ({ path: file, digest: sha256(bytes) })) };
  },

  identity: ({ kind, files }) => ({ kind, files: files.map(({ digest }) => digest) }),

  async open({ files }, tokenizer) {
    const encoder = neededTokenizer(tokenizer, 'the haystack');
    const contents = await read(files.map((file) => file.path), null);
    for (const [index, { file, bytes }] of contents.entries()) {
      if (sha256(bytes) !== files[index]?.digest) throw new RopesweepError('DOCUMENT_MISMATCH', { where: file, what: 'its contents are not those that the plan names' });
    }
    const sentences = sentencesOf(joined(contents));
    const encoded = new Map<number, readonly number[]>();
    const encode = (index: number): readonly number[] => {
      const known = encoded.get(index);
      if (known !== undefined) return known;
      const ids = encoder.encodeWithin(index === 0 ? `\n\n${sentences[0] ?? ''}` : (sentences[index] ?? ''));
      encoded.set(index, ids);
      return ids;
    };
    return (seed) => {
      const first = randomStream('haystack/text', seed).below(sentences.length);
      let drawn = 0;
      return sentenceStream(() => {
        const index = (first + drawn) % sentences.length;
        drawn += 1;
        return drawn === 1 ? encoder.encodeWithin(` ${sentences[index]?.trimStart() ?? ''}`) : encode(index);
      });
    };
  },

  idRanges: () => [],
};

interface Contents {
  readonly file: string;
  readonly bytes: Buffer;
}

/** Of a folder its .txt files in order of name. */
async function textFiles(written: string, resolvePath: ResolvePath): Promise<string[]> {
  const absolute = await resolvePath(written);
  const kind = await stat(absolute).catch((cause: unknown) => {
    throw unusable(written, `${whyUnreadable(cause)}: ${absolute}`, cause);
  });
  if (!kind.isDirectory()) return [absolute];
  const names = (await readdir(absolute)).filter((name) => name.endsWith('.txt')).sort();
  if (names.length === 0) throw unusable(written, `the folder ${absolute} has no .txt file`);
  return Promise.all(names.map((name) => resolvePath(path.join(absolute, name))));
}

/** @param written the path in the spec while it is resolved; null in a slot */
function read(files: readonly string[], written: string | null): Promise<Contents[]> {
  return Promise.all(
    files.map(async (file) => {
      try {
        return { file, bytes: await readFile(file) };
      } catch (cause) {
        const what = `${whyUnreadable(cause)}: ${file}`;
        throw written === null ? new RopesweepError('DOCUMENT_MISMATCH', { where: file, what }, { cause }) : unusable(written, what, cause);
      }
    }),
  );
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Byte-order marks dropped, line ends as \n. */
const joined = (contents: readonly Contents[]): string =>
  contents.map(({ bytes }) => bytes.toString('utf8').replace(/^\uFEFF/u, '').replaceAll('\r\n', '\n').trim()).join('\n\n').trim();

const unusable = (where: string, what: string, cause?: unknown): RopesweepError =>
  new RopesweepError('SPEC_INVALID', { where, what, mend: 'Name a text file, or a folder with .txt files (relative to the sweep file).' }, { cause });
