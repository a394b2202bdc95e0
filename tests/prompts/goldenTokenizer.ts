import { readFile } from 'node:fs/promises';
import { id, type TokenizerDigest } from '../../domain/ids.js';
import type { JsonObject, TokenizerFiles } from '../../domain/tokenizer.js';

export const TOKENIZERS = ['bytelevel-gpt2', 'bytelevel-llama3', 'bytelevel-qwen2', 'bytelevel-smollm', 'metaspace-llama2', 'metaspace-mistral'] as const;
export type GoldenTokenizer = (typeof TOKENIZERS)[number];

/** The golden tokenizers that put BOS before a text, with its id. */
const BOS: Partial<Record<GoldenTokenizer, number>> = { 'bytelevel-llama3': 0, 'metaspace-llama2': 1, 'metaspace-mistral': 1 };

/** Files of a golden tokenizer, as model/tokenizerFiles.ts reads them from a folder. */
export async function goldenFiles(name: GoldenTokenizer, changes: Partial<TokenizerFiles> = {}): Promise<TokenizerFiles> {
  const source = `tests/golden/tokenizers/${name}/tokenizer.json`;
  const bosTokenId = BOS[name] ?? null;
  return {
    source,
    json: JSON.parse(await readFile(source, 'utf8')) as JsonObject,
    config: {},
    chatTemplate: null,
    bosTokenId,
    eosTokenIds: [],
    addBos: bosTokenId !== null,
    vocabularySize: 500,
    digest: id<TokenizerDigest>(name),
    ...changes,
  };
}
