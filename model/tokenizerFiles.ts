/**
 * The tokenizer of a checkpoint: tokenizer.json, tokenizer_config.json, chat_template.jinja and the special tokens of
 * generation_config.json and config.json in a folder, or what a GGUF file has of them.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { isAbsent, messageOf, RopesweepError, whyUnreadable } from '../domain/errors.js';
import { digest, type Plain } from '../domain/identity.js';
import { id, type TokenizerDigest } from '../domain/ids.js';
import type { JsonObject, TokenizerFiles } from '../domain/tokenizer.js';
import { isGgufPath, withGguf } from './gguf.js';
import { ggufTokenizer, type TokenizerParts } from './ggufTokenizer.js';

/**
 * @param checkpoint folder or .gguf file
 * @returns null if the checkpoint has no tokenizer
 * @throws RopesweepError CHECKPOINT_MISSING, CHECKPOINT_INVALID, MODEL_UNSUPPORTED
 */
export async function readTokenizerFiles(checkpoint: string): Promise<TokenizerFiles | null> {
  const absolute = path.resolve(checkpoint);
  if (isGgufPath(absolute)) {
    const parts = await withGguf(absolute, (_, { metadata }) => Promise.resolve(ggufTokenizer(absolute, metadata)));
    return parts === null ? null : complete(absolute, parts);
  }
  const source = path.join(absolute, 'tokenizer.json');
  const json = await readJson(source);
  return json === null ? null : complete(source, await folderParts(absolute, source, json));
}

const tokenId = z.int().nonnegative().max(2 ** 31 - 1);
const pair = z.union([z.string(), z.tuple([z.string(), z.string()])]);
const vocabulary = z.union([z.record(z.string(), tokenId), z.array(z.tuple([z.string(), z.number()]))]);
/** As far as ropesweep itself reads it; prompts/ builds the tokenizer. */
const tokenizerSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: tokenId, content: z.string() })).nullish(),
  model: z.looseObject({ type: z.string().optional(), vocab: vocabulary, merges: z.array(pair).nullish() }),
  post_processor: z.unknown().optional(),
});
type TokenizerJson = z.infer<typeof tokenizerSchema>;

function complete(source: string, parts: TokenizerParts): TokenizerFiles {
  const { json, bosTokenId, eosTokenIds } = parts;
  const fields = checkTokenizer(source, json);
  const vocabularySize = largestId(fields) + 1;
  for (const special of [bosTokenId, ...eosTokenIds]) {
    if (special !== null && special >= vocabularySize) throw invalid(source, `the special token ${special} is not one of its ${vocabularySize} tokens`);
  }
  return {
    source,
    ...parts,
    addBos: bosTokenId !== null && firstOfTemplate(json['post_processor']).includes(bosTokenId),
    vocabularySize,
    digest: digestOf(source, parts),
  };
}

/** Of tokenizer_config.json, what changes ids or text; the rest names paths and classes. */
const CONFIG_IN_DIGEST = ['additional_special_tokens', 'remove_space', 'clean_up_tokenization_spaces', 'do_lowercase_and_remove_accent'];

function digestOf(source: string, { config, ...parts }: TokenizerParts): TokenizerDigest {
  const settings = Object.fromEntries(CONFIG_IN_DIGEST.map((name) => [name, config[name]]));
  try {
    return id<TokenizerDigest>(digest({ ...parts, settings } as Plain)); // all of it is parsed JSON
  } catch (cause) {
    // Numbers beyond float64, or nesting beyond the stack.
    throw invalid(source, `it has no digest: ${messageOf(cause)}`);
  }
}

const invalid = (where: string, what: string): RopesweepError =>
  new RopesweepError('CHECKPOINT_INVALID', { where, what, mend: 'Fetch the tokenizer of the checkpoint again.' });

function checkTokenizer(source: string, json: JsonObject): TokenizerJson {
  const parsed = tokenizerSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid(`${source}: ${issue?.path.join('.') ?? ''}`, issue?.message ?? 'malformed');
}

function largestId({ model, added_tokens }: TokenizerJson): number {
  const ids = Array.isArray(model.vocab) ? [model.vocab.length - 1] : Object.values(model.vocab);
  return [...ids, ...(added_tokens ?? []).map((token) => token.id)].reduce((largest, one) => Math.max(largest, one), -1);
}

const templateSchema = z.looseObject({
  single: z.array(z.looseObject({ SpecialToken: z.looseObject({ id: z.string() }).optional() })),
  special_tokens: z.record(z.string(), z.looseObject({ ids: z.array(tokenId) })),
});
const sequenceSchema = z.looseObject({ processors: z.array(z.unknown()) });

/** Ids that a post-processor puts before a text. */
function firstOfTemplate(processor: unknown): number[] {
  const sequence = sequenceSchema.safeParse(processor);
  if (sequence.success) return sequence.data.processors.flatMap(firstOfTemplate);
  const template = templateSchema.safeParse(processor);
  if (!template.success) return [];
  const first = template.data.single[0]?.SpecialToken;
  return first === undefined ? [] : (template.data.special_tokens[first.id]?.ids ?? []);
}

async function folderParts(folder: string, source: string, json: JsonObject): Promise<TokenizerParts> {
  const [config, generation, model] = await Promise.all(
    ['tokenizer_config.json', 'generation_config.json', 'config.json'].map((name) => readJson(path.join(folder, name)).then((found) => found ?? {})),
  );
  const fields = checkTokenizer(source, json);
  const named = (field: string): number | null => idOf(fields, config?.[field]);
  const [bos, eos] = [named('bos_token'), named('eos_token')];
  // What generation stops at: generation_config.json says it where it is there, as Hugging Face's generate() reads it.
  const stops = [generation, model].map((file) => idList(file?.['eos_token_id'])).find((ids) => ids.length > 0) ?? (eos === null ? [] : [eos]);
  return {
    json,
    config: config ?? {},
    chatTemplate: await chatTemplate(folder, config?.['chat_template']),
    bosTokenId: bos ?? idList(model?.['bos_token_id'])[0] ?? null,
    eosTokenIds: [...new Set(stops)].sort((a, b) => a - b),
  };
}

/** A special token as tokenizer_config.json names it: its text, or an object with the text. */
function idOf({ model, added_tokens }: TokenizerJson, token: unknown): number | null {
  const content = typeof token === 'string' ? token : z.looseObject({ content: z.string() }).safeParse(token).data?.content;
  if (content === undefined) return null;
  const added = added_tokens?.find((one) => one.content === content)?.id;
  const ownIndex = Array.isArray(model.vocab) ? model.vocab.findIndex(([text]) => text === content) : Object.hasOwn(model.vocab, content) ? model.vocab[content] : -1;
  return added ?? (ownIndex === undefined || ownIndex < 0 ? null : ownIndex);
}

const idList = (value: unknown): number[] => z.union([tokenId.transform((one) => [one]), z.array(tokenId)]).safeParse(value).data ?? [];

const namedTemplates = z.array(z.looseObject({ name: z.string(), template: z.string() }));

async function chatTemplate(folder: string, configured: unknown): Promise<string | null> {
  const file = await readText(path.join(folder, 'chat_template.jinja'));
  if (file !== null) return file;
  if (typeof configured === 'string') return configured;
  return namedTemplates.safeParse(configured).data?.find(({ name }) => name === 'default')?.template ?? null;
}

/** null if there is no such file */
async function readText(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (isAbsent(cause)) return null;
    throw new RopesweepError('CHECKPOINT_MISSING', { where: file, what: whyUnreadable(cause) }, { cause });
  }
}

async function readJson(file: string): Promise<JsonObject | null> {
  const text = await readText(file);
  if (text === null) return null;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw invalid(file, `it is not JSON: ${messageOf(cause)}`);
  }
  const object = z.record(z.string(), z.unknown()).safeParse(json);
  if (!object.success) throw invalid(file, 'it is not a JSON object');
  return object.data;
}
