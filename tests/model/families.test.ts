/** What each family makes of its config.json, and that folders of other layouts are read in place. */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Decoder } from '../../evaluation/decoder.js';
import { openCheckpoint } from '../../model/checkpoint.js';
import { configOf } from '../../model/config.js';
import { ropeTable } from '../../rope/method.js';
import { goldenModelFolder } from '../evaluation/fixtures.js';
import { changeConfig, inFolder, refusal, type Json } from './checkpointFolder.js';

const FIELDS = {
  num_hidden_layers: 4, hidden_size: 64, intermediate_size: 32, num_attention_heads: 4, num_key_value_heads: 2, vocab_size: 96, max_position_embeddings: 64, rms_norm_eps: 1e-5,
};
const read = (model_type: string, fields: Json = {}) => configOf('config.json', { ...FIELDS, model_type, ...fields });
const PLAIN = { layers: 4, hiddenSize: 64, intermediateSize: 32, heads: 4, keyValueHeads: 2, headSize: 16, vocabularySize: 96, rmsNormEpsilon: 1e-5, tiedEmbeddings: false };

describe('a family', () => {
  it('without parts of its own is a plain decoder: no field more, so that its weights keep their name', () => {
    for (const [type, fields] of [['llama', {}], ['mistral', { sliding_window: null }], ['phi3', {}], ['smollm3', { tie_word_embeddings: false, no_rope_layers: [1, 1, 1, 1] }]] as const) {
      expect(read(type, fields).config).toStrictEqual(PLAIN);
    }
  });

  it.each<[string, string, Json, readonly (number | null)[] | undefined]>([
    ['a Mistral that does not speak of windows has one of 4096', 'mistral', {}, [4096, 4096, 4096, 4096]],
    ['a Mistral with null has none', 'mistral', { sliding_window: null }, undefined],
    ['a Phi-3 has a window in every layer', 'phi3', { sliding_window: 2047 }, [2047, 2047, 2047, 2047]],
    ['a Qwen2 has none unless it is switched on', 'qwen2', { sliding_window: 8, max_window_layers: 1, use_sliding_window: false }, undefined],
    ['a Qwen2 has windows from max_window_layers on', 'qwen2', { sliding_window: 8, max_window_layers: 1, use_sliding_window: true }, [null, 8, 8, 8]],
    ['a Qwen3 has windows where layer_types says so', 'qwen3', { sliding_window: 8, use_sliding_window: true, layer_types: ['sliding_attention', 'full_attention', 'sliding_attention', 'full_attention'] }, [8, null, 8, null]],
    ['a SmolLM3 has windows in layers that do not rotate', 'smollm3', { sliding_window: 8, use_sliding_window: true, no_rope_layer_interval: 2 }, [null, 8, null, 8]],
  ])('%s', (_, type, fields, windows) => {
    expect(read(type, fields).config.windows).toEqual(windows);
  });

  it('of SmolLM3 leaves every fourth layer without rotation, every n-th, or those listed with 0; its embeddings are tied', () => {
    expect(read('smollm3').config.unrotatedLayers).toEqual([3]);
    expect(read('smollm3', { no_rope_layer_interval: 2 }).config.unrotatedLayers).toEqual([1, 3]);
    expect(read('smollm3', { no_rope_layers: [0, 1, 0, 1] }).config.unrotatedLayers).toEqual([0, 2]);
    expect(read('smollm3').config.tiedEmbeddings).toBe(true);
  });

  it('of Qwen has biases on queries, keys and values, or norms of queries and keys and heads of 128', () => {
    expect(read('qwen2').config.biases).toEqual(['query', 'key', 'value']);
    expect(read('qwen3').config).toMatchObject({ queryKeyNorm: true, headSize: 128 });
    expect(read('qwen3', { attention_bias: true }).config.biases).toEqual(['query', 'key', 'value', 'attentionOutput']);
  });

  it('of Phi-3 rotates the share of a head that config.json names', () => {
    expect(read('phi3', { partial_rotary_factor: 0.75 }).geometry.rotarySize).toBe(12);
  });

  it.each(['Object', '__proto__', 'toString'])('called %s is none', async (type) => {
    expect((await refusal(Promise.resolve().then(() => read(type)))).code).toBe('MODEL_UNSUPPORTED');
  });
});

describe('a checkpoint folder', () => {
  it("may be a snapshot of Hugging Face's cache: links into blobs, named by the links and read in place", async () => {
    await inFolder(async (folder) => {
      const [blobs, snapshot] = [path.join(folder, 'models--a--b', 'blobs'), path.join(folder, 'models--a--b', 'snapshots', '0a1b')];
      await mkdir(blobs, { recursive: true });
      await mkdir(snapshot, { recursive: true });
      const names = ['config.json', 'model.safetensors.index.json', 'model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
      for (const [index, name] of names.entries()) {
        await writeFile(path.join(blobs, `f00${index}`), await readFile(path.join(goldenModelFolder('llama-sharded'), name)));
        await symlink(path.join('..', '..', 'blobs', `f00${index}`), path.join(snapshot, name));
      }
      const checkpoint = await openCheckpoint(snapshot);
      expect(checkpoint.weightFiles.map(({ name }) => name)).toEqual(names.slice(2));
      const decoder = await Decoder.open(checkpoint, { threads: 1, dtype: 'f32' });
      decoder.useTable(ropeTable({ name: 'none' }, checkpoint.geometry, 8), 8);
      expect((await decoder.feed([1, 2, 3, 4], { logitRows: 2 })).finite).toBe(true);
      await decoder.dispose();
    }, null);
  });

  it('with a fused projection of other rows than config.json makes it is refused by its name', async () => {
    await inFolder(async (folder) => {
      await changeConfig(folder, { num_key_value_heads: 4 });
      const error = await refusal(openCheckpoint(folder));
      expect(error.code).toBe('CHECKPOINT_INVALID');
      expect(error.message).toMatch(/model.layers.0.self_attn.qkv_proj.weight has 128 rows, config.json makes it 192/);
    }, goldenModelFolder('phi3'));
  });

  it('says how the matrices of its layers are stored', async () => {
    for (const [name, format] of [['llama-gqa', 'f32'], ['llama-bf16', 'bf16'], ['llama-f16', 'f16'], ['phi3', 'f32']] as const) {
      expect((await openCheckpoint(goldenModelFolder(name))).weightFormat).toBe(format);
    }
  });
});
