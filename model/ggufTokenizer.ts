/**
 * The tokenizer inside a GGUF file as the tokenizer.json it was made from. The file keeps tokens, merges or scores, and the
 * name of a pre-tokeniser whose rules are known to llama.cpp only by that name (llama-vocab.cpp); a name that is not in
 * the list below is refused, for a guess would give ids that are nearly right.
 */
import { RopesweepError } from '../domain/errors.js';
import type { JsonObject } from '../domain/tokenizer.js';
import type { GgufContainer, GgufValue } from './ggufContainer.js';
import { mergesOfScores } from './mergesOfScores.js';

/** What {@link tokenizerFiles} makes of either source. */
export interface TokenizerParts {
  readonly json: JsonObject;
  readonly config: JsonObject;
  readonly chatTemplate: string | null;
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
}

/** ggml's kinds of tokens: control tokens are special, user-defined ones are found in text before all others. */
const CONTROL = 3;
const USER_DEFINED = 4;
const NORMAL = 1;

/**
 * @param file what errors name
 * @returns null if the file has no tokenizer
 * @throws RopesweepError CHECKPOINT_INVALID; MODEL_UNSUPPORTED for a tokenizer or pre-tokeniser that is not known by name
 */
export function ggufTokenizer(file: string, metadata: GgufContainer['metadata']): TokenizerParts | null {
  const model = metadata.get('tokenizer.ggml.model');
  if (model === undefined || model === 'no_vocab' || model === 'none') return null;
  const keys = new TokenizerKeys(file, metadata);
  if (model === 'gpt2') return assemble(keys, byteLevel(keys));
  if (model === 'llama') return assemble(keys, sentencePiece(keys));
  throw new RopesweepError('MODEL_UNSUPPORTED', { where: `${file}: tokenizer.ggml.model`, what: `${String(model)} is not one of gpt2, llama` });
}

/** The keys below `tokenizer.`, checked as they are asked for. */
class TokenizerKeys {
  readonly tokens: readonly string[];
  readonly types: readonly number[];

  constructor(
    readonly file: string,
    private readonly metadata: GgufContainer['metadata'],
  ) {
    this.tokens = this.texts('tokens');
    this.types = this.metadata.has('tokenizer.ggml.token_type') ? this.numbers('token_type') : this.tokens.map(() => NORMAL);
    if (new Set(this.tokens).size !== this.tokens.length) throw this.damaged('tokens', 'the same token stands there twice');
  }

  get(key: string): GgufValue | undefined {
    return this.metadata.get(`tokenizer.ggml.${key}`);
  }

  texts(key: string): readonly string[] {
    const value = this.get(key);
    if (Array.isArray(value) && value.every((element) => typeof element === 'string')) return value;
    throw this.damaged(key, 'it is not a list of texts');
  }

  /** One for each token. */
  numbers(key: string): readonly number[] {
    const value = this.get(key);
    if (Array.isArray(value) && value.length === this.tokens.length && value.every((element) => typeof element === 'number')) return value;
    throw this.damaged(key, `it is not a list of ${this.tokens.length} numbers`);
  }

  flag(key: string, absent: boolean): boolean {
    const value = this.get(key);
    if (value === undefined) return absent;
    if (typeof value === 'boolean') return value;
    throw this.damaged(key, 'it is not true or false');
  }

  /** Id of a special token; null where the file names none. */
  id(key: string): number | null {
    const value = this.get(key);
    // llama.cpp writes all bits set for "none".
    if (value === undefined || value === 0xffff_ffff || value === -1) return null;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < this.tokens.length) return value;
    throw this.damaged(key, `${String(value)} is not the id of one of ${this.tokens.length} tokens`);
  }

  chatTemplate(): string | null {
    const value = this.metadata.get('tokenizer.chat_template');
    return typeof value === 'string' ? value : null;
  }

  damaged(key: string, what: string): RopesweepError {
    return new RopesweepError('CHECKPOINT_INVALID', { where: `${this.file}: tokenizer.ggml.${key}`, what });
  }
}

interface Pipeline {
  readonly normalizer: JsonObject | null;
  readonly preTokenizer: JsonObject | null;
  readonly model: JsonObject;
  readonly decoder: JsonObject;
  /** Where the file does not say it, what llama.cpp assumes. */
  readonly addsBos: boolean;
}

function assemble(keys: TokenizerKeys, { normalizer, preTokenizer, model, decoder, addsBos }: Pipeline): TokenizerParts {
  const [bosTokenId, eosTokenId] = [keys.id('bos_token_id'), keys.id('eos_token_id')];
  const eosTokenIds = [eosTokenId, keys.id('eot_token_id'), keys.id('eom_token_id')].filter((id) => id !== null);
  const text = (id: number | null): string | null => (id === null ? null : (keys.tokens[id] ?? null));
  const addedTokens = keys.tokens.flatMap((content, id) => {
    const type = keys.types[id];
    if (type !== CONTROL && type !== USER_DEFINED) return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: type === CONTROL }];
  });
  const bos = text(bosTokenId);
  return {
    json: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: addedTokens,
      normalizer,
      pre_tokenizer: preTokenizer,
      post_processor: bos !== null && keys.flag('add_bos_token', addsBos) ? bosTemplate(bos, bosTokenId) : null,
      decoder,
      model: { ...model, vocab: Object.fromEntries(keys.tokens.map((token, id) => [token, id])) },
    },
    config: {
      clean_up_tokenization_spaces: false,
      ...(bos !== null && { bos_token: bos }),
      ...(eosTokenId !== null && { eos_token: text(eosTokenId) }),
    },
    chatTemplate: keys.chatTemplate(),
    bosTokenId,
    eosTokenIds: [...new Set(eosTokenIds)].sort((a, b) => a - b),
  };
}

const bosTemplate = (bos: string, id: number | null): JsonObject => {
  const special = { SpecialToken: { id: bos, type_id: 0 } };
  const sequence = (name: string) => ({ Sequence: { id: name, type_id: 0 } });
  return {
    type: 'TemplateProcessing',
    single: [special, sequence('A')],
    pair: [special, sequence('A'), special, sequence('B')],
    special_tokens: { [bos]: { id: bos, ids: [id], tokens: [bos] } },
  };
};

const split = (regex: string): JsonObject => ({ type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false });
const bytes = (useRegex: boolean): JsonObject => ({ type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: useRegex });
const inTurn = (...pretokenizers: JsonObject[]): JsonObject => ({ type: 'Sequence', pretokenizers });

/** The split of Llama 3 and of its descendants, which differ in how many digits stand together. */
const wordsAndDigits = (digits: string): JsonObject =>
  split(String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`);
const GPT2_SPLIT = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

interface PreTokenizer {
  readonly rules: JsonObject;
  readonly normalizer?: JsonObject;
  /** A word that is a token stays whole, whatever the merges say; and BOS is put before every text. */
  readonly llama3?: true;
}
const llama3: PreTokenizer = { rules: inTurn(wordsAndDigits(String.raw`\p{N}{1,3}`), bytes(false)), llama3: true };
const qwen2: PreTokenizer = { rules: inTurn(wordsAndDigits(String.raw`\p{N}`), bytes(false)), normalizer: { type: 'NFC' } };
const smollm: PreTokenizer = { rules: inTurn(split(String.raw`\p{N}`), bytes(true)) };
const gpt2: PreTokenizer = { rules: bytes(true) };

/** By the names that llama.cpp gives them. */
const PRE_TOKENIZERS: Readonly<Record<string, PreTokenizer>> = {
  'llama-bpe': llama3,
  llama3,
  'llama-v3': llama3,
  qwen2,
  'deepseek-r1-qwen': qwen2,
  smollm,
  'gpt-2': gpt2,
  default: {
    rules: inTurn(split(String.raw`[\p{P}\$\+<=>\^~\|]+`), split(GPT2_SPLIT), split(String.raw`\p{N}+`), split('[0-9][0-9][0-9]'), bytes(false)),
  },
};

/** Byte-level BPE. */
function byteLevel(keys: TokenizerKeys): Pipeline {
  const name = keys.get('pre');
  const pre = typeof name === 'string' && Object.hasOwn(PRE_TOKENIZERS, name) ? PRE_TOKENIZERS[name] : undefined;
  if (pre === undefined) {
    throw new RopesweepError('MODEL_UNSUPPORTED', {
      where: `${keys.file}: tokenizer.ggml.pre`,
      what: `${name === undefined ? 'it is missing; the pre-tokeniser' : String(name)} is not one of ${Object.keys(PRE_TOKENIZERS).join(', ')}`,
      mend: 'Use the Hugging Face folder of the model: its tokenizer.json says the rules themselves.',
    });
  }
  return {
    normalizer: pre.normalizer ?? null,
    preTokenizer: pre.rules,
    model: bpe({ merges: keys.texts('merges').map((merge) => pairOf(keys, merge)), unknown: null, bytes: false, wholeWords: pre.llama3 === true }),
    decoder: bytes(true),
    addsBos: pre.llama3 === true,
  };
}

function pairOf(keys: TokenizerKeys, merge: string): readonly [string, string] {
  const [left, right, ...rest] = merge.split(' ');
  if (left === undefined || right === undefined || left === '' || right === '' || rest.length > 0) throw keys.damaged('merges', `${JSON.stringify(merge)} is not two tokens`);
  return [left, right];
}

const bpe = (options: { merges: readonly (readonly [string, string])[]; unknown: string | null; bytes: boolean; wholeWords: boolean }): JsonObject => ({
  type: 'BPE',
  dropout: null,
  unk_token: options.unknown,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: options.bytes,
  byte_fallback: options.bytes,
  ignore_merges: options.wholeWords,
  merges: options.merges,
});

const SPACE = '▁';

/** SentencePiece BPE: merges follow from the scores; what has no token falls back to its bytes. */
function sentencePiece(keys: TokenizerKeys): Pipeline {
  const scores = keys.numbers('scores');
  const pieces = keys.tokens.flatMap((text, id) => (keys.types[id] === NORMAL ? [{ text, score: scores[id] ?? 0 }] : []));
  const prefix = keys.flag('add_space_prefix', true);
  const replace = (from: string, to: string): JsonObject => ({ type: 'Replace', pattern: { String: from }, content: to });
  const unknown = keys.id('unknown_token_id');
  return {
    normalizer: { type: 'Sequence', normalizers: [...(prefix ? [{ type: 'Prepend', prepend: SPACE }] : []), replace(' ', SPACE)] },
    preTokenizer: null,
    model: bpe({ merges: mergesOfScores(pieces), unknown: unknown === null ? null : (keys.tokens[unknown] ?? null), bytes: true, wholeWords: false }),
    decoder: {
      type: 'Sequence',
      decoders: [replace(SPACE, ' '), { type: 'ByteFallback' }, { type: 'Fuse' }, ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : [])],
    },
    addsBos: true,
  };
}
