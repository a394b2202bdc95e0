/**
 * A checkpoint's tokenizer: text -> token ids and back, as Hugging Face's tokenizers library computes them.
 *
 * Normaliser, pre-tokeniser, model, post-processor and decoder are those of `@huggingface/tokenizers`. Three things it
 * does otherwise than the reference are done here: single-word added tokens (prompts/addedTokens.ts), byte tokens that
 * are no UTF-8 (one U+FFFD each), and the decoding of nothing (an empty text).
 */
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { z } from 'zod';
import { messageOf, RopesweepError } from '../domain/errors.js';
import type { TokenizerDigest } from '../domain/ids.js';
import type { TokenizerFiles } from '../domain/tokenizer.js';
import { addedTokenSplitter, type AddedToken, type Section, type Splitter } from './addedTokens.js';

/** No known vocabulary comes near; a larger id is damage, and would cost memory. */
const LARGEST_ID = 2 ** 24;

const tokenId = z.int().nonnegative().max(LARGEST_ID);
const flag = z.boolean().default(false);
const addedTokenSchema = z.object({
  id: tokenId,
  content: z.string(),
  special: flag,
  single_word: flag,
  lstrip: flag,
  rstrip: flag,
  normalized: flag,
});
const fileSchema = z.object({
  added_tokens: z.array(addedTokenSchema).nullish(),
  model: z.object({
    vocab: z.union([z.record(z.string(), tokenId), z.array(z.tuple([z.string(), z.number()])).max(LARGEST_ID)]),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])).optional(),
    type: z.string().nullish(),
    ignore_merges: z.boolean().nullish(),
    continuing_subword_prefix: z.string().nullish(),
    end_of_word_suffix: z.string().nullish(),
  }),
});

/** eos_token of tokenizer_config.json: the token, or an object that holds it. */
const configuredEos = z
  .object({ eos_token: z.union([z.string(), z.object({ content: z.string() }).transform(({ content }) => content)]).nullish() })
  .nullable()
  .catch(null);

/** Words whose tokens are remembered: some 10 MB. */
const REMEMBERED_WORDS = 65_536;
/** Where there is no pre-tokeniser, a word is a whole text. */
const LONGEST_WORD = 64;

/** How a text that stands somewhere in a prompt begins where nothing of it may run together with what stands before. */
const ANCHORS = { beforeSpace: ['a', '.', '\n'], beforeText: ['\n', '.', 'a'] } as const;

export interface EncodeOptions {
  /** Whether special tokens that are spelt out in the text become those tokens. A user's text is plain. */
  readonly spelt: 'parsed' | 'plain';
}

/** What prompts need of a tokenizer. */
export type PromptTokenizer = Pick<Tokenizer, 'encode' | 'encodeWithin' | 'decode' | 'bosIds' | 'bosToken' | 'eosToken' | 'chatTemplate' | 'source'>;

/** @throws RopesweepError SPEC_INVALID where a prompt of text has no tokenizer. */
export function neededTokenizer(tokenizer: PromptTokenizer | null, where: string): PromptTokenizer {
  if (tokenizer !== null) return tokenizer;
  throw new RopesweepError('SPEC_INVALID', {
    where,
    what: 'it is text, and the checkpoint has no tokenizer',
    mend: 'Put its tokenizer.json into the checkpoint folder, or use a haystack and a needle of token ids (markov, symbols).',
  });
}

export class Tokenizer {
  readonly digest: TokenizerDigest;
  readonly source: string;
  /** What stands before a text by default: BOS, or nothing. */
  readonly bosIds: readonly number[];
  /** null where it has none, whether it stands before texts or not. */
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
  /** The special tokens as text, for chat templates; empty where there is none. */
  readonly bosToken: string;
  readonly eosToken: string;
  /** Jinja template of a conversation; null where the checkpoint has none. */
  readonly chatTemplate: string | null;
  readonly vocabularySize: number;
  readonly specialIds: ReadonlySet<number>;

  private readonly library: Library;
  private readonly addedByContent: ReadonlyMap<string, AddedToken>;
  private readonly splitters: Readonly<Record<EncodeOptions['spelt'], { readonly raw: Splitter; readonly normalized: Splitter }>>;
  private readonly words = new Map<string, readonly string[]>();
  private readonly byteLevel: boolean;
  private readonly byteFallback: boolean;
  private readonly cutsAtSpaces: boolean;

  /**
   * @throws RopesweepError CHECKPOINT_INVALID for a tokenizer.json that is damaged or has parts that nobody knows.
   */
  constructor(private readonly files: TokenizerFiles) {
    const { added_tokens: added, model } = parseFile(files);
    this.digest = files.digest;
    this.source = files.source;
    this.bosTokenId = files.bosTokenId;
    this.bosIds = files.addBos && files.bosTokenId !== null ? [files.bosTokenId] : [];
    this.eosTokenIds = files.eosTokenIds;
    this.chatTemplate = files.chatTemplate;
    this.vocabularySize = files.vocabularySize;
    this.library = guarded(files, () => new Library({ ...files.json, added_tokens: added }, files.config));
    this.bosToken = files.bosTokenId === null ? '' : (this.library.id_to_token(files.bosTokenId) ?? '');
    this.eosToken = configuredEos.parse(files.config)?.eos_token ?? this.library.id_to_token(files.eosTokenIds[0] ?? -1) ?? '';
    checkMerges(files, model.merges ?? [], this.library.model.tokens_to_ids);
    this.specialIds = new Set(added.filter(({ special }) => special).map(({ id }) => id));
    this.addedByContent = new Map(added.map((token) => [token.content, token]));
    this.splitters = guarded(files, () => ({ parsed: this.splittersOf(added), plain: this.splittersOf(added.filter(({ special }) => !special)) }));
    const decoder = JSON.stringify(files.json['decoder'] ?? null);
    this.byteLevel = decoder.includes('"ByteLevel"');
    this.byteFallback = decoder.includes('"ByteFallback"');
    this.cutsAtSpaces = mergesWithinWords(model, this.library.model.tokens_to_ids);
  }

  /** Token ids of a text as the reference library gives them; `addSpecial` lets the post-processor add BOS and its like. */
  encode(text: string, { addSpecial, spelt = 'parsed' }: { readonly addSpecial: boolean } & Partial<EncodeOptions>): number[] {
    return guarded(this.files, () => {
      const tokens = this.tokensOf(text, spelt);
      return this.idsOf(this.library.post_processor?.post_process(tokens, null, addSpecial).tokens ?? tokens);
    });
  }

  /**
   * Token ids of a text that stands behind another one, without what the tokenizer puts before the first text of all
   * (a prefix space): spliced behind any tokens, they read as this text.
   */
  encodeWithin(text: string, options: EncodeOptions = { spelt: 'plain' }): number[] {
    if (text === '') return [];
    return guarded(this.files, () => {
      for (const anchor of /^\s/u.test(text) ? ANCHORS.beforeSpace : ANCHORS.beforeText) {
        const head = this.tokensOf(anchor, options.spelt);
        const whole = this.tokensOf(anchor + text, options.spelt);
        if (head.every((token, index) => token === whole[index])) return this.idsOf(whole.slice(head.length));
      }
      return this.idsOf(this.tokensOf(text, options.spelt));
    });
  }

  /** The text of token ids; ids that the tokenizer does not have are left out. */
  decode(ids: readonly number[], { skipSpecial }: { readonly skipSpecial: boolean }): string {
    const tokens = ids.flatMap((id) => (skipSpecial && this.specialIds.has(id) ? [] : (this.library.id_to_token(id) ?? [])));
    if (tokens.length === 0) return '';
    return guarded(this.files, () => this.library.decoder?.decode(this.byteFallback ? replaceBrokenBytes(tokens) : tokens) ?? tokens.join(' '));
  }

  /** The token as the vocabulary spells it: `<|im_start|>`, `Ġsea`. */
  tokenText(id: number): string | undefined {
    return this.library.id_to_token(id);
  }

  /**
   * UTF-8 bytes of text that a token stands for; 0 for a special one. Summed over a text's tokens they are its bytes,
   * and one more where the tokenizer puts a prefix space before it.
   */
  byteLength(id: number): number {
    const token = this.library.id_to_token(id);
    if (token === undefined || this.specialIds.has(id)) return 0;
    if (this.addedByContent.has(token)) return Buffer.byteLength(token);
    // Byte level: each character of a token, all of them below U+0144, stands for one byte.
    if (this.byteLevel) return token.length;
    if (this.byteFallback && byteOf(token) !== null) return 1;
    return Buffer.byteLength(token.replaceAll('▁', ' '));
  }

  private tokensOf(text: string, spelt: EncodeOptions['spelt']): string[] {
    const { raw, normalized } = this.splitters[spelt];
    const { normalizer, pre_tokenizer: preTokenizer, model } = this.library;
    const contentOf = (section: Section): string[] => ('token' in section ? [section.token.content] : []);
    return raw(text).flatMap((section, index) => {
      if ('token' in section) return contentOf(section);
      return normalized(normalizer?.normalize(section.text) ?? section.text).flatMap((part) => {
        if ('token' in part) return contentOf(part);
        const whole = preTokenizer?.pre_tokenize(part.text, { section_index: index }) ?? [part.text];
        const words = this.cutsAtSpaces ? whole.flatMap((word) => word.split(WORD_START)) : whole;
        return model.fuse_unk ? model._call(words) : words.flatMap((word) => this.wordTokens(word));
      });
    });
  }

  /** Tokens of one word of the pre-tokeniser, remembered: the library's own memory of words is slow and small. */
  private wordTokens(word: string): readonly string[] {
    const known = this.words.get(word);
    if (known !== undefined) return known;
    const tokens = this.library.model._call([word]);
    if (this.words.size >= REMEMBERED_WORDS) this.words.clear();
    if (word.length <= LONGEST_WORD) this.words.set(word, tokens);
    return tokens;
  }

  private idsOf(tokens: readonly string[]): number[] {
    return tokens.map((token) => {
      const id = this.addedByContent.get(token)?.id ?? this.library.token_to_id(token) ?? this.library.model.unk_token_id;
      if (id === undefined) throw new TypeError(`the token ${JSON.stringify(token)} has no id`);
      return id;
    });
  }

  private splittersOf(added: readonly AddedToken[]): { readonly raw: Splitter; readonly normalized: Splitter } {
    const { normalizer } = this.library;
    const inNormalized = (token: AddedToken): boolean => token.normalized && normalizer !== null;
    return {
      raw: addedTokenSplitter(new Map(added.filter((token) => !inNormalized(token)).map((token) => [token.content, token]))),
      normalized: addedTokenSplitter(new Map(added.filter(inNormalized).map((token) => [normalizer?.normalize(token.content) ?? token.content, token]))),
    };
  }
}

const invalid = (files: TokenizerFiles, what: string, cause?: unknown): RopesweepError =>
  new RopesweepError('CHECKPOINT_INVALID', { where: files.source, what: `the tokenizer cannot be used: ${what}`, mend: 'Fetch or convert the checkpoint again.' }, { cause });

/** Whatever the library trips over in a damaged file is one kind of error. */
function guarded<Result>(files: TokenizerFiles, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof RopesweepError) throw error;
    throw invalid(files, messageOf(error), error);
  }
}

function parseFile(files: TokenizerFiles): { readonly added_tokens: readonly AddedToken[]; readonly model: z.infer<typeof fileSchema>['model'] } {
  const parsed = fileSchema.safeParse(files.json);
  if (parsed.success) return { ...parsed.data, added_tokens: parsed.data.added_tokens ?? [] };
  const [issue] = parsed.error.issues;
  throw invalid(files, issue === undefined ? 'it is no tokenizer.json' : `${z.core.toDotPath(issue.path)}: ${issue.message}`);
}

/** A merge whose result is no token would be dropped from texts without a word. */
function checkMerges(files: TokenizerFiles, merges: readonly (string | readonly [string, string])[], vocabulary: ReadonlyMap<string, number>): void {
  for (const [index, merge] of merges.entries()) {
    const pair = typeof merge === 'string' ? merge.split(' ') : merge;
    if (pair.length !== 2 || !vocabulary.has(pair.join(''))) throw invalid(files, `model.merges[${index}] makes ${JSON.stringify(pair.join(''))}, which is not in the vocabulary`);
  }
}

/** Where a word begins in text whose spaces are written as ▁ (SentencePiece). */
const WORD_START = /(?<=[^▁])(?=▁)/u;

/**
 * Whether byte-pair encoding gives the same tokens word by word as for a whole text: no token, so no merge, goes beyond a word.
 * Llama's and Mistral's tokenizers hand over whole texts as one word, for which a merge queue of a million entries is slow.
 */
const mergesWithinWords = (model: z.infer<typeof fileSchema>['model'], vocabulary: ReadonlyMap<string, number>): boolean =>
  model.type === 'BPE' &&
  model.ignore_merges !== true &&
  (model.continuing_subword_prefix ?? '') === '' &&
  (model.end_of_word_suffix ?? '') === '' &&
  ![...vocabulary.keys()].some((token) => WORD_START.test(token));

/** The byte that a token of the form <0xE2> stands for. */
const byteOf = (token: string): number | null => (/^<0x[0-9A-Fa-f]{2}>$/.test(token) ? Number.parseInt(token.slice(3, 5), 16) : null);

/** Runs of byte tokens that are no UTF-8, as one U+FFFD a byte. */
function replaceBrokenBytes(tokens: readonly string[]): string[] {
  const replaced: string[] = [];
  for (let start = 0; start < tokens.length; ) {
    let end = start;
    const bytes: number[] = [];
    for (let byte = byteOf(tokens[end] ?? ''); byte !== null; byte = byteOf(tokens[end] ?? '')) {
      bytes.push(byte);
      end += 1;
    }
    if (end === start) end += 1;
    const run = tokens.slice(start, end);
    replaced.push(...(bytes.length > 0 && !isUtf8(Uint8Array.from(bytes)) ? run.map(() => '\uFFFD') : run));
    start = end;
  }
  return replaced;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
