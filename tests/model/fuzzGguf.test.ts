/** Damaged GGUF and tokenizer files end in an error that ropesweep knows, or in something that can be used. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import { Decoder } from '../../evaluation/decoder.js';
import { openCheckpoint } from '../../model/checkpoint.js';
import { asFloat32 } from '../../model/weightCache.js';
import { readTokenizerFiles } from '../../model/tokenizerFiles.js';
import { Tokenizer } from '../../prompts/tokenizer.js';
import { ropeTable } from '../../rope/method.js';
import { inFolder } from './checkpointFolder.js';
import { ggufFile } from './goldenGguf.js';
import { damageBytes, damageJson, seeded } from './mutations.js';

const GGUF_FILES = 600;
const TOKENIZER_FILES = 400;
/** A file that took longer would be one that hangs. */
const LIMIT_MS = 5000;
/** Before this byte lies the header of every golden file. */
const HEADER_BYTES = 4000;
const MODELS = ['llama-gqa-f32', 'llama-gqa-bf16', 'llama-gqa-q4_0', 'llama-gqa-q5_1', 'llama-gqa-q8_0', 'llama-rope-yarn', 'llama-rope-freqs', 'qwen2-q4_1'];
const TOKENIZERS = ['bytelevel-llama3', 'bytelevel-smollm', 'bytelevel-qwen2', 'bytelevel-gpt2', 'metaspace-llama2', 'metaspace-mistral'];
const TEXT = "The pass key is 71482; it's naïve.\n\n <|im_start|> 你好 ½";

/** Everything that a command does with a file, as far as it lets itself be used. */
async function outcome(use: () => Promise<void>): Promise<string> {
  try {
    await use();
    return 'used';
  } catch (error) {
    if (error instanceof RopesweepError && error.code !== 'INTERNAL') return error.code;
    throw error;
  }
}

async function useModel(file: string, cache: string): Promise<void> {
  const checkpoint = await asFloat32(await openCheckpoint(file), { folder: cache, limitBytes: 1e9 });
  for (const { file: holder, byteOffset, byteLength } of checkpoint.tensors.values()) expect(byteOffset + byteLength).toBeLessThanOrEqual((await stat(holder)).size);
  const decoder = await Decoder.open(checkpoint, { threads: 1, dtype: 'f32' });
  try {
    decoder.useTable(ropeTable(checkpoint.ropeSettings, checkpoint.geometry, 16), 16);
    await decoder.feed([1, 2, 3, 4, 5, 6], { logitRows: 2, targets: [5, 6], probeRows: 2 });
  } finally {
    await decoder.dispose();
  }
}

async function useTokenizer(place: string): Promise<void> {
  const files = await readTokenizerFiles(place);
  if (files === null) return;
  const tokenizer = new Tokenizer(files);
  tokenizer.decode(tokenizer.encode(TEXT, { addSpecial: true }), { skipSpecial: false });
}

/** Runs `use` once a seed; returns how often it ended how. */
async function fuzz(count: number, use: (seed: number, folder: string) => Promise<string>): Promise<Record<string, number>> {
  const ends: Record<string, number> = {};
  for (let seed = 0; seed < count; seed += 1) {
    const started = performance.now();
    const end = await inFolder((folder) => use(seed, folder), null).catch((cause: unknown) => {
      throw new Error(`seed ${seed}`, { cause });
    });
    expect(performance.now() - started, `seed ${seed}`).toBeLessThan(LIMIT_MS);
    ends[end] = (ends[end] ?? 0) + 1;
  }
  return ends;
}

it(`${GGUF_FILES} damaged GGUF files give errors that say what is wrong, or work`, { timeout: 300_000 }, async () => {
  const ends = await inFolder(
    (cache) =>
      fuzz(GGUF_FILES, async (seed, folder) => {
        const random = seeded(seed);
        const bytes = await readFile(ggufFile(MODELS[seed % MODELS.length] ?? ''));
        const file = path.join(folder, 'model.gguf');
        await writeFile(file, damageBytes(bytes, random, random() < 0.85 ? HEADER_BYTES : bytes.length));
        const [model, tokenizer] = [await outcome(() => useModel(file, cache)), await outcome(() => useTokenizer(file))];
        return `model ${model}, tokenizer ${tokenizer}`;
      }),
    null,
  );
  console.log(ends);
  expect(Object.keys(ends).filter((end) => end.startsWith('model CHECKPOINT_INVALID')).length).toBeGreaterThan(0);
});

it(`${TOKENIZER_FILES} damaged tokenizer files give errors that say what is wrong, or work`, { timeout: 300_000 }, async () => {
  const ends = await fuzz(TOKENIZER_FILES, async (seed, folder) => {
    const random = seeded(seed);
    const text = await readFile(new URL(`../golden/tokenizers/${TOKENIZERS[seed % TOKENIZERS.length] ?? ''}/tokenizer.json`, import.meta.url), 'utf8');
    const damaged = random() < 0.3 ? damageBytes(Buffer.from(text), random) : Buffer.from(damageJson(random() < 0.7 ? structure(text) : text, random));
    await writeFile(path.join(folder, 'tokenizer.json'), damaged);
    return outcome(() => useTokenizer(folder));
  });
  console.log(ends);
  expect(ends['CHECKPOINT_INVALID']).toBeGreaterThan(0);
});

/** Without merges and words, so that the damage meets the rules rather than one of hundreds of tokens. */
function structure(text: string): string {
  const json = JSON.parse(text) as { model: { vocab: Record<string, number> } };
  const vocab = Object.fromEntries(Object.entries(json.model.vocab).filter(([token, id]) => id < 3 || token.length === 1 || token.startsWith('<0x')));
  return JSON.stringify({ ...json, model: { ...json.model, vocab, merges: [] } });
}
