/**
 * Documents as a plan finds them and as a slot reads them again. The Parquet files were written by pyarrow 26 from texts.json
 * (12 rows in groups of 5; row 4 is null).
 */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import type { ResolvedDocument } from '../../domain/task.js';
import { documentsSchema } from '../../domain/taskSpec.js';
import { absentDocuments, resolveDocuments } from '../../prompts/documents.js';
import { openDocuments } from '../../prompts/documentTokens.js';
import { openHaystack, resolveHaystack } from '../../prompts/haystack.js';
import { Tokenizer } from '../../prompts/tokenizer.js';
import { goldenFiles } from './goldenTokenizer.js';

let folder: string;
let tokenizer: Tokenizer;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'ropesweep-documents-'));
  tokenizer = new Tokenizer(await goldenFiles('bytelevel-llama3'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const file = async (name: string, contents: string | Uint8Array): Promise<string> => {
  const written = path.join(folder, name);
  await mkdir(path.dirname(written), { recursive: true });
  await writeFile(written, contents);
  return written;
};

const resolve = (spec: object, minimumTokens = 1): Promise<ResolvedDocument[]> =>
  resolveDocuments(documentsSchema.parse(spec), {
    tokenizer,
    minimumTokens,
    resolvePath: (written) => Promise.resolve(path.resolve(folder, written)),
    resolveHaystack: (haystack) => resolveHaystack(haystack, (name) => Promise.resolve(name)),
  });
const texts = (name: string, more: object = {}, minimumTokens = 1) => resolve({ kind: 'text', path: name, ...more }, minimumTokens);

const refusal = async (work: Promise<unknown>): Promise<RopesweepError> => {
  const error: unknown = await work.then(() => undefined, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(RopesweepError);
  return error as RopesweepError;
};
const says = async (work: Promise<unknown>, words: RegExp): Promise<void> => {
  const error = await refusal(work);
  expect(error.code).toBe('DOCUMENTS_INVALID');
  expect(error.message).toMatch(words);
};

/** Text of a document as a slot reads it again. */
const readAgain = async (document: ResolvedDocument): Promise<string> => {
  const tokens = await openDocuments(tokenizer)(document, document.tokens ?? 0);
  return tokenizer.decode([...tokens].slice(document.headIds.length), { skipSpecial: false });
};

describe('documents of a folder', () => {
  it('come in order of file name, chapter_2 before chapter_10, other files and folders left out', async () => {
    for (const chapter of [10, 2, 1]) await file(`book/chapter_${chapter}.txt`, `Chapter ${chapter}.`);
    await file('book/chapter_1.json', '{}');
    await file('book/inner/chapter_0.txt', 'not this');
    const found = await texts('book', { count: 3 });
    expect(found.map(({ name }) => name)).toEqual(['chapter_1.txt', 'chapter_2.txt', 'chapter_10.txt']);
    expect(await readAgain(found[2] ?? fail())).toBe('Chapter 10.');
  });

  it('are the rows of .jsonl files, blank lines and null counted but passed over', async () => {
    await file('rows/a.jsonl', '{"text":"one","id":1}\n\n{"text":null}\r\n{"text":"two"}');
    await file('rows/b.jsonl', '\uFEFF{"text":"three"}\n');
    const found = await texts('rows', { count: 3 });
    expect(found.map(({ name, source }) => [name, source.kind === 'row' ? source.row : null])).toEqual([['a.jsonl row 1', 0], ['a.jsonl row 4', 3], ['b.jsonl row 1', 0]]);
    expect(await Promise.all(found.map(readAgain))).toEqual(['one', 'two', 'three']);
  });

  it.each(['snappy', 'zstd'])('are the rows of a Parquet file compressed with %s, of every row group', async (compression) => {
    const golden = JSON.parse(await readFile('tests/golden/documents/texts.json', 'utf8')) as (string | null)[];
    const found = await texts(path.resolve(`tests/golden/documents/${compression}.parquet`), { count: 11 });
    expect(await Promise.all(found.map(readAgain))).toEqual(golden.filter((text) => text !== null));
  });

  it('may lie behind links, which keep their name', async () => {
    await file('blobs/0a1b2c', 'what the link shows');
    await mkdir(path.join(folder, 'snapshot'));
    await symlink('../blobs/0a1b2c', path.join(folder, 'snapshot/train.txt'));
    const [found] = await resolveDocuments(documentsSchema.parse({ kind: 'text', path: 'snapshot', count: 1 }), {
      tokenizer,
      minimumTokens: 1,
      resolvePath: (written) => Promise.resolve(written.endsWith('train.txt') ? path.join(folder, 'blobs/0a1b2c') : path.resolve(folder, written)),
      resolveHaystack: () => Promise.reject(new Error('none')),
    });
    expect(found?.name).toBe('train.txt');
    expect(await readAgain(found ?? fail())).toBe('what the link shows');
  });

  it('that are too short, or the same text again, are passed over', async () => {
    await file('mixed/1.txt', 'short');
    await file('mixed/2.txt', 'a somewhat longer text of the sea');
    await file('mixed/3.txt', 'a somewhat longer text of the sea');
    await file('mixed/4.txt', 'another somewhat longer text, of the wind');
    const found = await texts('mixed', { count: 2 }, 10);
    expect(found.map(({ name }) => name)).toEqual(['2.txt', '4.txt']);
    expect(found.every(({ tokens }) => (tokens ?? 0) >= 10)).toBe(true);
  });
});

describe('a document', () => {
  it('has the tokens of its text, BOS as the tokenizer puts it or as the spec says', async () => {
    await file('one.txt', 'Call me Ishmael.');
    const own = tokenizer.encode('Call me Ishmael.', { addSpecial: false });
    const tokensWith = async (bos: string) => {
      const [found] = await texts('one.txt', { count: 1, bos });
      return [...(await openDocuments(tokenizer)(found ?? fail(), own.length))];
    };
    expect(await tokensWith('never')).toEqual(own);
    expect(await tokensWith('tokenizer')).toEqual([tokenizer.bosTokenId, ...own.slice(0, -1)]);
    expect(await tokensWith('always')).toEqual([tokenizer.bosTokenId, ...own.slice(0, -1)]);
  });

  it('has an id that changes with text, BOS and tokenizer, not with the place of the file', async () => {
    await file('first/x.txt', 'The same text.');
    await file('second/y.txt', 'The same text.');
    await file('third/x.txt', 'Another text.');
    const idOf = async (name: string, more: object = {}) => (await texts(name, { count: 1, ...more }))[0]?.id;
    const id = await idOf('first/x.txt');
    expect(await idOf('second')).toBe(id);
    expect(await idOf('third')).not.toBe(id);
    expect(await idOf('first', { bos: 'never' })).not.toBe(id);
    tokenizer = new Tokenizer(await goldenFiles('bytelevel-qwen2', { bosTokenId: 0 }));
    expect(await idOf('first')).not.toBe(id);
    tokenizer = new Tokenizer(await goldenFiles('bytelevel-llama3'));
  });

  it('that changed since it was planned is refused in the slot', async () => {
    const written = await file('changing.txt', 'As it was planned.');
    const [found] = await texts('changing.txt', { count: 1 });
    await writeFile(written, 'As it is now......');
    expect((await refusal(openDocuments(tokenizer)(found ?? fail(), 3))).code).toBe('DOCUMENT_MISMATCH');
    await rm(written);
    expect((await refusal(openDocuments(tokenizer)(found ?? fail(), 3))).code).toBe('DOCUMENT_MISMATCH');
    expect((await refusal(openDocuments(null)(found ?? fail(), 3))).code).toBe('DOCUMENT_MISMATCH');
  });

  it('drawn from a haystack is the stream of its seed behind the ids given', async () => {
    const haystack = { kind: 'markov', file: 'models/starter/filler.json' };
    const [first, second] = await resolve({ kind: 'haystack', haystack, seeds: [3, 4], headIds: [0] }, 100_000);
    const tokens = await openDocuments(null)(first ?? fail(), 50);
    const resolved = await resolveHaystack({ kind: 'markov', file: haystack.file, jumpProbability: 0.1, rankScale: 2.5 }, (name) => Promise.resolve(name));
    expect([...tokens]).toEqual([0, ...(await openHaystack(resolved, null))(3).prefix(49)]);
    expect(first).toMatchObject({ name: 'seed 3', tokens: null });
    expect(second?.id).not.toBe(first?.id);
  });

  it('of a plan without texts has an id but cannot be read', async () => {
    const found = absentDocuments(documentsSchema.parse({ kind: 'text', path: 'elsewhere', count: 3 }));
    expect(new Set(found.map(({ id }) => id)).size).toBe(3);
    expect((await refusal(openDocuments(tokenizer)(found[0] ?? fail(), 3))).code).toBe('INTERNAL');
  });
});

describe('texts that are joined', () => {
  it('are cut at line starts into parts of like length that together are the whole', async () => {
    const chapters = [1, 2, 3].map((chapter) => Array.from({ length: 40 }, (_, line) => `Chapter ${chapter}, line ${line}, with some words of the sea.`).join('\n'));
    for (const [index, text] of chapters.entries()) await file(`novel/chapter_${index + 9}.txt`, text);
    const whole = chapters.join('\n\n');
    const parts = await texts('novel', { count: 5, join: true });
    const again = await Promise.all(parts.map(readAgain));
    expect(again.join('')).toBe(whole);
    const longestLine = 60;
    for (const part of again) expect(Math.abs(part.length - whole.length / 5)).toBeLessThan(longestLine);
    expect(again.slice(1).every((part) => part.startsWith('Chapter') || part.startsWith('\n'))).toBe(true);
    const rows = await file('novel.jsonl', chapters.map((text) => JSON.stringify({ text })).join('\n'));
    const [ofRows] = await texts(rows, { count: 5, join: true });
    expect(ofRows?.id).toBe(parts[0]?.id);
  });

  it('larger than what is held at once are cut alike', async () => {
    const line = `${'The whale sank and rose again. '.repeat(30)}\n`;
    const lines = Array.from({ length: 5000 }, (_, index) => `${index} ${line}`);
    await file('large.txt', lines.join(''));
    const started = performance.now();
    await says(texts('large.txt', { count: 4, join: true }, 10_000_000), /0 of 4 parts have the 10000000 tokens of the longest context, count asks for 4; the longest has \d+/);
    console.log(`4.7 MB in 4 parts read, and the longest part encoded, in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  });
});

describe('documents that cannot be used', () => {
  it('too few are told with how many there are and the longest', async () => {
    await file('few/1.txt', 'short');
    await file('few/2.txt', 'a somewhat longer text of the sea');
    const longest = 1 + tokenizer.encode('a somewhat longer text of the sea', { addSpecial: false }).length;
    await says(texts('few', { count: 2 }, 10), new RegExp(`1 of 2 documents have the 10 tokens of the longest context, count asks for 2; the longest has ${longest}$`));
    await says(texts('few', { count: 1 }, 1000), new RegExp(`0 of 2 documents have the 1000 tokens .*the longest has ${longest}$`));
  });

  it('an empty folder, an unknown ending, no such path, a broken link are named', async () => {
    await mkdir(path.join(folder, 'empty'));
    await says(texts('empty'), /empty: the folder has no file with the ending \.txt, \.jsonl, \.parquet/);
    await says(texts(await file('data.csv', 'text')), /data\.csv: its ending does not say/);
    await says(texts('nowhere'), /nowhere: there is no such file/);
    await mkdir(path.join(folder, 'dangling'));
    await symlink('gone.txt', path.join(folder, 'dangling/1.txt'));
    await says(texts('dangling'), /1\.txt: there is no such file/);
  });

  it('a line that is not JSON, or lacks the field, is named with file and line', async () => {
    await says(texts(await file('bad.jsonl', '{"text":"fine"}\n{"text": oh\n')), /bad\.jsonl:2: the line is not JSON/);
    await says(texts(await file('list.jsonl', '["text"]\n')), /list\.jsonl:1: the line is no JSON object/);
    await says(texts(await file('other.jsonl', '{"content":"x","id":1}\n')), /other\.jsonl:1: the line has no field "text"; it has "content", "id"/);
    await says(texts(await file('number.jsonl', '{"text":7}\n')), /number\.jsonl:1: "text" is no text/);
    await says(texts(await file('proto.jsonl', '{"a":1}\n'), { field: 'constructor' }), /has no field "constructor"/);
  });

  it('a Parquet file that is damaged, or lacks the column, is named', async () => {
    const golden = path.resolve('tests/golden/documents/snappy.parquet');
    await says(texts(golden, { field: 'content' }), /snappy\.parquet: it has no column "content"; it has "id", "text", "tags"/);
    await says(texts(golden, { field: 'id' }), /column "id" holds no text/);
    await says(texts(golden, { field: 'tags' }), /column "tags" holds no text/);
    const bytes = await readFile(golden);
    await says(texts(await file('cut.parquet', bytes.subarray(0, 3000))), /cut\.parquet: it cannot be read as Parquet/);
    await says(texts(await file('torn.parquet', Buffer.concat([bytes.subarray(0, 200), Buffer.alloc(300, 0xff), bytes.subarray(500)])), { count: 11 }), /torn\.parquet/);
  });

  it('bytes that are not UTF-8 are refused, at the end of a file too', async () => {
    await says(texts(await file('latin.txt', Buffer.from('Gr\xfc\xdfe', 'latin1'))), /latin\.txt: it is not UTF-8/);
    await says(texts(await file('cut.txt', Buffer.from('whale 🐋').subarray(0, -1))), /cut\.txt: it is not UTF-8/);
  });

  it('texts for a model without tokenizer, and BOS of a tokenizer that has none, are refused', async () => {
    const spec = documentsSchema.parse({ kind: 'text', path: 'one.txt' });
    const options = { minimumTokens: 1, resolvePath: (written: string) => Promise.resolve(path.resolve(folder, written)), resolveHaystack: () => Promise.reject(new Error('none')) };
    await says(resolveDocuments(spec, { ...options, tokenizer: null }), /the model has no tokenizer/);
    await says(resolveDocuments({ ...spec, kind: 'text', bos: 'always' } as typeof spec, { ...options, tokenizer: new Tokenizer(await goldenFiles('bytelevel-smollm')) }), /no BOS token/);
  });
});

function fail(): never {
  throw new Error('there is no such document');
}
