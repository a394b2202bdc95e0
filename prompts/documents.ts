/**
 * Documents of a perplexity or attention task, resolved: found, counted in tokens, and named by what they hold.
 *
 *   id = digest(version, SHA-256 of the text | haystack and seed, ids before it, tokenizer)
 *
 * Texts count in their order, from the first: those with fewer than minimumTokens, and those that were taken already, are
 * passed over, until `count` are found. Special tokens that are spelt out in a text are text.
 */
import { createHash } from 'node:crypto';
import { axisValues } from '../domain/axis.js';
import { RopesweepError } from '../domain/errors.js';
import { digest } from '../domain/identity.js';
import type { HaystackSpec } from '../domain/spec.js';
import type { DocumentsSpec } from '../domain/taskSpec.js';
import type { ResolvedDocument, ResolvedHaystack } from '../domain/task.js';
import { documentFiles } from './documentFiles.js';
import { joinedTexts, rowTexts, type FoundText } from './documentSources.js';
import { haystackDigest } from './haystack.js';
import { invalidDocuments } from './invalidDocuments.js';
import type { Tokenizer } from './tokenizer.js';

/** Raised when the same text gives other tokens; part of every document's id. */
const DOCUMENT_VERSION = 1;

type TextDocuments = Extract<DocumentsSpec, { kind: 'text' }>;
type DrawnDocuments = Extract<DocumentsSpec, { kind: 'haystack' }>;

export interface ResolveDocumentsOptions {
  /** Of the base checkpoint; null where it has none. */
  readonly tokenizer: Tokenizer | null;
  /** Tokens that every document must have, the ids before it included: the longest context of the task. */
  readonly minimumTokens: number;
  /** Absolute path of a path as the spec writes it, or of a file found in a folder of it. @throws RopesweepError PATH_OUTSIDE_ROOTS */
  readonly resolvePath: (written: string) => Promise<string>;
  readonly resolveHaystack: (spec: HaystackSpec) => Promise<ResolvedHaystack>;
}

/**
 * @returns the documents in order, as many as the spec asks for
 * @throws RopesweepError DOCUMENTS_INVALID (unreadable, too few, too short), PATH_OUTSIDE_ROOTS, what resolveHaystack throws
 */
export function resolveDocuments(spec: DocumentsSpec, options: ResolveDocumentsOptions): Promise<ResolvedDocument[]> {
  return spec.kind === 'text' ? textDocuments(spec, options) : drawnDocuments(spec, options);
}

/** Documents of a plan without tokenizer or texts: they stand for those that are not here yet, and nothing can run them. */
export function absentDocuments(spec: DocumentsSpec): ResolvedDocument[] {
  const names = spec.kind === 'text' ? Array.from({ length: spec.count }, (_, index) => `document ${index + 1}`) : axisValues(spec.seeds).map(seedName);
  return names.map((name) => ({
    id: digest({ absent: { ...spec }, name }),
    name,
    tokens: null,
    source: { kind: 'absent' },
    headIds: [],
    textDigest: null,
  }));
}

/** SHA-256 of a text as UTF-8. */
export const textDigest = (text: string): string => createHash('sha256').update(text).digest('hex');

async function textDocuments(spec: TextDocuments, { tokenizer, minimumTokens, resolvePath }: ResolveDocumentsOptions): Promise<ResolvedDocument[]> {
  if (tokenizer === null) {
    throw invalidDocuments(spec.path, 'the model has no tokenizer, so texts cannot become tokens', 'Use documents of kind haystack, or put tokenizer.json beside the checkpoint.');
  }
  const headIds = headOf(spec, tokenizer);
  const root = await resolvePath(spec.path);
  const files = await documentFiles(root, resolvePath);
  const taken = new Map<string, ResolvedDocument>();
  const seen = { texts: 0, longestTokens: 0, longestShort: '' };
  for await (const { name, source, text } of spec.join ? joinedTexts(root, files, spec.field, spec.count) : rowTexts(files, spec.field)) {
    seen.texts += 1;
    // A token has a byte at least (one may stand for the space a tokenizer puts first): most short texts need no counting.
    if (headIds.length + Buffer.byteLength(text) + 1 < minimumTokens) {
      if (text.length > seen.longestShort.length) seen.longestShort = text;
      continue;
    }
    const tokens = countTokens(text, headIds, tokenizer);
    seen.longestTokens = Math.max(seen.longestTokens, tokens);
    if (tokens < minimumTokens) continue;
    const ofText = textDigest(text);
    const id = digest({ version: DOCUMENT_VERSION, text: ofText, headIds, tokenizer: tokenizer.digest });
    if (!taken.has(id)) taken.set(id, { id, name, tokens, source, headIds, textDigest: ofText });
    if (taken.size === spec.count) return [...taken.values()];
  }
  const longest = Math.max(seen.longestTokens, countTokens(seen.longestShort, headIds, tokenizer));
  throw invalidDocuments(
    spec.path,
    `${taken.size} of ${seen.texts} ${spec.join ? 'parts' : 'documents'} have the ${minimumTokens} tokens of the longest context, count asks for ${spec.count}; the longest has ${longest}`,
    spec.join ? 'Use a smaller count, shorter contexts or more text.' : 'Use a smaller count, shorter contexts, or longer documents (join: true makes one of all texts).',
  );
}

const countTokens = (text: FoundText['text'], headIds: readonly number[], tokenizer: Tokenizer): number => headIds.length + encodeDocument(text, tokenizer).length;

/** A document's own tokens, without what stands before it. */
export const encodeDocument = (text: string, tokenizer: Tokenizer): number[] => tokenizer.encode(text, { addSpecial: false, spelt: 'plain' });

function headOf({ bos, path }: TextDocuments, { bosIds, bosTokenId }: Tokenizer): readonly number[] {
  if (bos === 'tokenizer') return bosIds;
  if (bos === 'never') return [];
  if (bosTokenId === null) throw new RopesweepError('DOCUMENTS_INVALID', { where: path, what: 'bos: always, but the tokenizer has no BOS token', mend: 'Use bos: tokenizer or bos: never.' });
  return [bosTokenId];
}

const seedName = (seed: number): string => `seed ${seed}`;

async function drawnDocuments({ haystack: spec, seeds, headIds }: DrawnDocuments, { tokenizer, resolveHaystack }: ResolveDocumentsOptions): Promise<ResolvedDocument[]> {
  const haystack = await resolveHaystack(spec);
  return [...new Set(axisValues(seeds))].map((seed) => ({
    id: digest({ version: DOCUMENT_VERSION, haystack: haystackDigest(haystack), seed, headIds, tokenizer: tokenizer?.digest ?? null }),
    name: seedName(seed),
    tokens: null,
    source: { kind: 'haystack', haystack, seed },
    headIds,
    textDigest: null,
  }));
}
