/**
 * Tokens of a planned document in a slot: its text is read where it lies and checked against the plan.
 */
import { RopesweepError } from '../domain/errors.js';
import type { ResolvedDocument } from '../domain/task.js';
import { encodeDocument, textDigest } from './documents.js';
import { textAt } from './documentSources.js';
import { openHaystack } from './haystack.js';
import type { HaystackStream } from './stream.js';
import type { Tokenizer } from './tokenizer.js';

/**
 * The first `contextTokens` tokens of a document, those before its text (BOS) included.
 * @returns [contextTokens]; later calls leave it as it is
 * @throws RopesweepError DOCUMENT_MISMATCH if it is not the document that was planned; INTERNAL if it has fewer tokens
 */
export type DocumentTokens = (document: ResolvedDocument, contextTokens: number) => Promise<Int32Array>;

/** Tokens that are kept of documents, so that each is read and encoded once in a process: 64 MiB. */
const KEPT_TOKENS = 2 ** 24;

/** Documents read so far by id, the latest used last. */
const kept = new Map<string, Int32Array>();

/** @param tokenizer of the job's checkpoint; null where it has none */
export function openDocuments(tokenizer: Tokenizer | null): DocumentTokens {
  const drawn = new Map<string, HaystackStream>();
  return async (document, contextTokens) => {
    const { source, headIds } = document;
    if (source.kind === 'absent') throw internal(document, 'the plan it stems from was provisional');
    const ownTokens = contextTokens - headIds.length;
    let own: Int32Array;
    if (source.kind === 'haystack') {
      const stream = drawn.get(document.id) ?? (await openHaystack(source.haystack, tokenizer))(source.seed);
      drawn.set(document.id, stream);
      own = stream.prefix(ownTokens);
    } else {
      own = await textTokens(document, tokenizer);
    }
    if (own.length < ownTokens) throw internal(document, `it has ${own.length + headIds.length} tokens, not ${contextTokens}`);
    const tokens = new Int32Array(contextTokens);
    tokens.set(headIds);
    tokens.set(own.subarray(0, ownTokens), headIds.length);
    return tokens;
  };
}

const internal = ({ name }: ResolvedDocument, what: string): RopesweepError => new RopesweepError('INTERNAL', { where: `document ${name}`, what });

async function textTokens(document: ResolvedDocument, tokenizer: Tokenizer | null): Promise<Int32Array> {
  const known = kept.get(document.id);
  kept.delete(document.id);
  const tokens = known ?? Int32Array.from(encodeDocument(await checkedText(document), tokenizerOf(document, tokenizer)));
  kept.set(document.id, tokens);
  let sum = 0;
  for (const [id, { length }] of [...kept].reverse()) {
    sum += length;
    if (sum > KEPT_TOKENS && id !== document.id) kept.delete(id);
  }
  return tokens;
}

function tokenizerOf(document: ResolvedDocument, tokenizer: Tokenizer | null): Tokenizer {
  if (tokenizer === null) throw mismatch(document, 'the checkpoint has no tokenizer');
  return tokenizer;
}

const mismatch = ({ name }: ResolvedDocument, what: string, cause?: unknown): RopesweepError =>
  new RopesweepError('DOCUMENT_MISMATCH', { where: `document ${name}`, what }, { cause });

async function checkedText(document: ResolvedDocument): Promise<string> {
  const { source } = document;
  if (source.kind !== 'row' && source.kind !== 'joined') throw internal(document, 'it is no text');
  const text = await textAt(source).catch((error: unknown) => {
    throw error instanceof RopesweepError && error.code === 'DOCUMENTS_INVALID' ? mismatch(document, error.message, error) : error;
  });
  if (textDigest(text) !== document.textDigest) {
    throw mismatch(document, `its text in ${source.kind === 'row' ? source.file : source.path} has another digest than when it was planned`);
  }
  return text;
}
