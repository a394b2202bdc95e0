/**
 * What a checkpoint brings along to turn text into token ids, whether it lay in a folder or inside a GGUF file.
 * model/tokenizerFiles.ts reads it; prompts/ makes a tokenizer of it.
 */
import type { TokenizerDigest } from './ids.js';

/** A JSON object as it was parsed, nothing in it believed yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

export interface TokenizerFiles {
  /** Where it was read: absolute path of tokenizer.json or of the GGUF file. */
  readonly source: string;
  /** tokenizer.json: normaliser, pre-tokeniser, model, post-processor, decoder, added tokens. */
  readonly json: JsonObject;
  /** tokenizer_config.json; `{}` where there is none. */
  readonly config: JsonObject;
  /** Jinja template of a conversation; null where the checkpoint has none. */
  readonly chatTemplate: string | null;
  readonly bosTokenId: number | null;
  /** Tokens that end a generated text, ascending; empty where none is named. */
  readonly eosTokenIds: readonly number[];
  /** Whether the model expects BOS before a text, as the tokenizer's own post-processor puts it there. */
  readonly addBos: boolean;
  /** Largest token id + 1, added tokens included; at most the model's vocabulary size. */
  readonly vocabularySize: number;
  /** Changes with everything that can change a token id or a prompt. */
  readonly digest: TokenizerDigest;
}
