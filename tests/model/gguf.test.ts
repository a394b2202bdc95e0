/** GGUF files: where tensors lie, what their values are, what the metadata mean, and what is refused. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { weightFormatLabel } from '../../domain/weightFormat.js';
import { openCheckpoint } from '../../model/checkpoint.js';
import { withGguf } from '../../model/gguf.js';
import { readValues } from '../../model/tensorValues.js';
import { ropeTable } from '../../rope/method.js';
import { inFolder, refusal } from './checkpointFolder.js';
import { ggufBytes } from './ggufBytes.js';
import { GGUF_MODELS, ggufFile, goldenGguf } from './goldenGguf.js';

describe.each(GGUF_MODELS)('%s', (name) => {
  it('has the golden tensors: types, shapes, places, first values, sums', async () => {
    const golden = await goldenGguf(name);
    let [firstWorst, sumWorst] = [0, 0];
    await withGguf(ggufFile(name), async (handle, { tensors }) => {
      expect([...tensors.keys()]).toEqual(golden.tensors.map((tensor) => tensor.name));
      for (const expected of golden.tensors) {
        const tensor = tensors.get(expected.name);
        expect(tensor).toEqual({ dtype: expected.type, shape: expected.shape, byteOffset: expected.offset, byteLength: expected.bytes });
        if (tensor === undefined) continue;
        const values = await readValues(handle, { ...tensor, file: name }, 0, tensor.shape.reduce((product, size) => product * size, 1));
        expected.first.forEach((value, index) => (firstWorst = Math.max(firstWorst, Math.abs((values[index] ?? NaN) - value))));
        const sum = values.reduce((total, value) => total + value, 0);
        const squares = values.reduce((total, value) => total + value * value, 0);
        sumWorst = Math.max(sumWorst, Math.abs(sum - expected.sum), Math.abs(squares - expected.sum_squares) / expected.sum_squares);
      }
    });
    console.log(`${name}: largest differences: first values ${firstWorst.toExponential(1)}, sums ${sumWorst.toExponential(1)}`);
    expect(firstWorst).toBeLessThan(1e-8);
    expect(sumWorst).toBeLessThan(1e-6);
  });

  it('means the golden RoPE table', async () => {
    const golden = await goldenGguf(name);
    const { ropeSettings, geometry } = await openCheckpoint(ggufFile(name));
    const table = ropeTable(ropeSettings, geometry, golden.prompt.length);
    const worst = Math.max(...golden.inv_freq.map((expected, pair) => Math.abs((table.inverseFrequencies[pair] ?? NaN) / expected - 1)));
    console.log(`${name}: ${ropeSettings.name}, largest relative difference of inverse frequencies ${worst.toExponential(1)}`);
    // The golden table of llama-rope-freqs comes from the formula, the file holds its divisors rounded to float32.
    expect(worst).toBeLessThan(name === 'llama-rope-freqs' ? 2 ** -24 : 1e-9);
    expect(table.attentionFactor).toBeCloseTo(golden.attention_factor, 12);
  });
});

describe('a GGUF checkpoint', () => {
  it('goes by the names of Hugging Face, and marks the rows that llama.cpp interleaves', async () => {
    const { tensors, config } = await openCheckpoint(ggufFile('llama-gqa-q4_1'));
    expect(config).toMatchObject({ layers: 2, heads: 4, keyValueHeads: 2, headSize: 16, tiedEmbeddings: false, rmsNormEpsilon: 1e-5 });
    const interleaved = [...tensors].filter(([, tensor]) => tensor.rowOrder === 'interleaved').map(([name]) => name);
    expect(interleaved.sort()).toEqual([0, 1].flatMap((layer) => ['k', 'q'].map((part) => `model.layers.${String(layer)}.self_attn.${part}_proj.weight`)));
    const qwen2 = await openCheckpoint(ggufFile('qwen2-q8_0'));
    expect([...qwen2.tensors.values()].some((tensor) => tensor.rowOrder !== undefined)).toBe(false);
    expect(qwen2.config.tiedEmbeddings).toBe(true);
  });

  it('says how its weights are stored', async () => {
    const formats = await Promise.all(['llama-gqa-f16', 'llama-gqa-q8_0', 'qwen2-q4_1'].map(async (name) => (await openCheckpoint(ggufFile(name))).weightFormat));
    expect(formats.map(weightFormatLabel)).toEqual(['f16 weights', '8-bit weights, dequantised', '4-bit weights, dequantised']);
  });

  it('with K-quants is refused by their names, with what to do', async () => {
    const error = await refusal(openCheckpoint(ggufFile('k-quant-tensors')));
    expect(error.code).toBe('MODEL_UNSUPPORTED');
    for (const type of ['Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q6_K']) expect(error.message).toMatch(new RegExp(`tensor \\S+( and \\d+ more)?: ${type}, which is not one of F32`));
    expect(error.describe()).toContain('llama-quantize');
    // One line a type, however many tensors.
    expect(error.problems.length).toBeLessThanOrEqual(5);
  });
});

describe('what a GGUF file says that ropesweep does not have', () => {
  const keys = {
    'general.architecture': 'llama', 'llama.block_count': 1, 'llama.context_length': 64, 'llama.embedding_length': 32, 'llama.feed_forward_length': 48,
    'llama.attention.head_count': 2, 'llama.attention.layer_norm_rms_epsilon': 1e-5,
  };
  it.each<[string, Record<string, string | number | boolean>, string, RegExp]>([
    ['another architecture', { 'general.architecture': 'mamba' }, 'MODEL_UNSUPPORTED', /general.architecture: mamba is not one of llama, qwen2/],
    ['experts', { 'llama.expert_count': 8 }, 'MODEL_UNSUPPORTED', /llama.expert_count: 8/],
    ['a window', { 'llama.attention.sliding_window': 32 }, 'MODEL_UNSUPPORTED', /llama.attention.sliding_window: 32/],
    ['another RoPE scaling', { 'llama.rope.scaling.type': 'longrope' }, 'MODEL_UNSUPPORTED', /llama.rope.scaling.type: longrope is not one of none, linear, yarn/],
    ['heads of two sizes', { 'llama.attention.key_length': 16, 'llama.attention.value_length': 8 }, 'MODEL_UNSUPPORTED', /attention.value_length/],
    ['no block count', { 'llama.block_count': '' }, 'CHECKPOINT_INVALID', /num_hidden_layers/],
  ])('%s is refused by name', async (_, change, code, message) => {
    await inFolder(async (folder) => {
      const file = path.join(folder, 'model.gguf');
      await writeFile(file, ggufBytes({ ...keys, ...change }));
      const error = await refusal(openCheckpoint(file));
      expect(error.message).toMatch(message);
      expect(error.code).toBe(code);
    }, null);
  });

  it('a file without tensors lacks them by name', async () => {
    await inFolder(async (folder) => {
      const file = path.join(folder, 'model.gguf');
      await writeFile(file, ggufBytes({ ...keys, 'llama.vocab_size': 8 }));
      expect((await refusal(openCheckpoint(file))).message).toContain('tensor model.embed_tokens.weight is missing');
      expect((await refusal(openCheckpoint(path.join(folder, 'other.gguf')))).message).toContain('there is no such file');
    }, null);
  });
});
