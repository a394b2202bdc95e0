/** What a checkpoint folder gives, and what a damaged, hostile or unknown one is refused with. */
import { readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../model/checkpoint.js';
import { changeConfig, inFolder, readSafetensors, refusal, STARTER, writeSafetensors, type Json } from './checkpointFolder.js';

const WEIGHTS = 'model.safetensors';
const refused = async (damage: (folder: string) => Promise<unknown>): Promise<{ code: string; text: string }> =>
  inFolder(async (folder) => {
    await damage(folder);
    const error = await refusal(openCheckpoint(folder));
    return { code: error.code, text: error.describe().replaceAll(folder, 'FOLDER') };
  });

describe('a checkpoint folder', () => {
  it('gives architecture, geometry, its own RoPE settings and where every tensor lies', async () => {
    const checkpoint = await openCheckpoint(STARTER);
    expect(checkpoint.config).toEqual({
      layers: 3, hiddenSize: 96, intermediateSize: 192, heads: 3, keyValueHeads: 3, headSize: 32, vocabularySize: 256, rmsNormEpsilon: 1e-5, tiedEmbeddings: false,
    });
    expect(checkpoint.geometry).toEqual({ rotarySize: 32, base: 500, originalContextTokens: 128 });
    expect(checkpoint.ropeSettings).toEqual({ name: 'none' });
    expect(checkpoint.tensors.size).toBe(30);
    expect(checkpoint.tokenizerFile).toBe(path.join(STARTER, 'tokenizer.json'));
    const norm = checkpoint.tensors.get('model.norm.weight');
    const bytes = await readFile(path.join(STARTER, WEIGHTS));
    const header = bytes.readBigUInt64LE(0);
    expect(norm?.byteOffset).toBeGreaterThan(Number(header));
    expect(norm?.byteLength).toBe(96 * 4);
    expect(checkpoint.weightFiles.map(({ name, size }) => [name, size])).toEqual([[WEIGHTS, bytes.length]]);
  });

  it('may hold its weights in several files behind an index, and links', async () => {
    await inFolder(async (folder) => {
      const { header, data } = await readSafetensors(path.join(folder, WEIGHTS));
      const names = Object.keys(header);
      const map: Json = {};
      for (const [part, some] of [names.slice(0, 11), names.slice(11)].entries()) {
        const file = `model-0000${part + 1}-of-00002.safetensors`;
        let end = 0;
        const pieces: Buffer[] = [];
        const entries: Json = {};
        for (const name of some) {
          const entry = header[name];
          if (entry === undefined) continue;
          const piece = data.subarray(...entry.data_offsets);
          entries[name] = { ...entry, data_offsets: [end, end + piece.length] };
          end += piece.length;
          pieces.push(piece);
          map[name] = file;
        }
        await writeSafetensors(path.join(folder, `blob-${part}`), entries, Buffer.concat(pieces));
        await symlink(`blob-${part}`, path.join(folder, file));
      }
      await rm(path.join(folder, WEIGHTS));
      await writeFile(path.join(folder, `${WEIGHTS}.index.json`), JSON.stringify({ weight_map: map }));
      const checkpoint = await openCheckpoint(folder);
      expect(checkpoint.tensors.size).toBe(30);
      expect(checkpoint.weightFiles.map(({ name }) => name)).toEqual(['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']);
    });
  });
});

describe('a folder is refused', () => {
  it('that is not there', async () => {
    const error = await refusal(openCheckpoint('/nowhere/at-all'));
    expect(error.code).toBe('CHECKPOINT_MISSING');
    expect(error.describe()).toContain('/nowhere/at-all/config.json: there is no such file');
  });

  it.each<[string, (folder: string) => Promise<unknown>, string, RegExp]>([
    ['without weights', (folder) => rm(path.join(folder, WEIGHTS)), 'CHECKPOINT_MISSING', /neither model.safetensors nor/],
    ['with a folder in place of config.json', (folder) => rm(path.join(folder, 'config.json')).then(() => rename(path.join(folder, 'tokenizer.json'), path.join(folder, 'x'))), 'CHECKPOINT_MISSING', /config.json: there is no such file/],
    ['with a config that is not JSON', (folder) => writeFile(path.join(folder, 'config.json'), '{"a":'), 'CHECKPOINT_INVALID', /config.json: it is not JSON/],
    ['with a config that is a list', (folder) => writeFile(path.join(folder, 'config.json'), '[]'), 'CHECKPOINT_INVALID', /the whole file/],
    ['with several wrong fields, all at once', (folder) => changeConfig(folder, { hidden_size: -1, vocab_size: 'many', num_hidden_layers: 2.5 }), 'CHECKPOINT_INVALID', /hidden_size[^]*vocab_size|num_hidden_layers[^]*vocab_size/],
    ['with absurdly many layers', (folder) => changeConfig(folder, { num_hidden_layers: 2_000_000_000 }), 'CHECKPOINT_INVALID', /num_hidden_layers/],
    ['with heads that cannot be grouped', (folder) => changeConfig(folder, { num_key_value_heads: 2 }), 'CHECKPOINT_INVALID', /2 does not divide num_attention_heads 3/],
    ['with odd heads', (folder) => changeConfig(folder, { head_dim: 31 }), 'CHECKPOINT_INVALID', /31 dimensions cannot rotate in pairs/],
    ['whose tensors have other shapes than config.json says', (folder) => changeConfig(folder, { intermediate_size: 200 }), 'CHECKPOINT_INVALID', /mlp.gate_proj.weight is \[192, 96\], config.json makes it \[200, 96\]/],
    ['with more layers in the file than in config.json', (folder) => changeConfig(folder, { num_hidden_layers: 2 }), 'MODEL_UNSUPPORTED', /model.layers.2.* has no place in a decoder of 2 layers/],
    ['with fewer layers in the file than in config.json', (folder) => changeConfig(folder, { num_hidden_layers: 4 }), 'CHECKPOINT_INVALID', /tensor model.layers.3.input_layernorm.weight is missing[^]*and 1 more/],
    ['of another family', (folder) => changeConfig(folder, { model_type: 'gpt2' }), 'MODEL_UNSUPPORTED', /gpt2 is not one of llama, mistral/],
    ['with another activation', (folder) => changeConfig(folder, { hidden_act: 'gelu' }), 'MODEL_UNSUPPORTED', /gelu is not silu/],
    ['without the biases that config.json names', (folder) => changeConfig(folder, { attention_bias: true }), 'CHECKPOINT_INVALID', /tensor model.layers.0.self_attn.q_proj.bias is missing/],
    ['with a window', (folder) => changeConfig(folder, { sliding_window: 4096 }), 'MODEL_UNSUPPORTED', /a window of 4096 tokens/],
    ['with quantised weights', (folder) => changeConfig(folder, { quantization_config: { bits: 4 } }), 'MODEL_UNSUPPORTED', /quantised weights/],
    ['with soft capping, whatever else it lacks', (folder) => changeConfig(folder, { model_type: 'gemma2', hidden_act: 'gelu_pytorch_tanh', final_logit_softcapping: 30, hidden_size: undefined }), 'MODEL_UNSUPPORTED', /gemma2 is not one of[^]*final_logit_softcapping: soft capping of logits \(30\)[^]*gelu_pytorch_tanh is not silu/],
    ['with experts', (folder) => changeConfig(folder, { model_type: 'mixtral', num_local_experts: 8 }), 'MODEL_UNSUPPORTED', /num_local_experts: a mixture of experts \(8\)/],
    ['with ALiBi', (folder) => changeConfig(folder, { alibi: true }), 'MODEL_UNSUPPORTED', /alibi: ALiBi in place of RoPE/],
    ['with a parallel residual', (folder) => changeConfig(folder, { use_parallel_residual: true }), 'MODEL_UNSUPPORTED', /parallel residual/],
    ['with another kind of layer', (folder) => changeConfig(folder, { layer_types: ['full_attention', 'linear_attention', 'full_attention'] }), 'MODEL_UNSUPPORTED', /linear_attention is not one of full_attention, sliding_attention/],
    ['with fewer kinds of layers than layers', (folder) => changeConfig(folder, { layer_types: ['full_attention'] }), 'CHECKPOINT_INVALID', /layer_types: it has 1 entries for 3 layers/],
    ['with weights that are Python objects', (folder) => rename(path.join(folder, WEIGHTS), path.join(folder, 'pytorch_model.bin')), 'CHECKPOINT_MISSING', /the weights are pytorch_model.bin: such files run code[^]*save_file/],
    ['with a rotation of no whole pairs', (folder) => changeConfig(folder, { partial_rotary_factor: 0.1 }), 'CHECKPOINT_INVALID', /3 of a head's 32 dimensions cannot rotate in pairs/],
    ['with a RoPE type that is unknown', (folder) => changeConfig(folder, { rope_scaling: { rope_type: 'mrope' } }), 'MODEL_UNSUPPORTED', /mrope is not one of default, linear/],
    ['with a linear scaling without factor', (folder) => changeConfig(folder, { rope_scaling: { type: 'linear' } }), 'CHECKPOINT_INVALID', /the factor is missing/],
    ['with an index that leaves the folder', (folder) => rm(path.join(folder, WEIGHTS)).then(() => writeFile(path.join(folder, `${WEIGHTS}.index.json`), '{"weight_map":{"a":"../../etc/x.safetensors"}}')), 'CHECKPOINT_INVALID', /is not the name of a safetensors file in the folder/],
    ['with an index that names a missing file', (folder) => rm(path.join(folder, WEIGHTS)).then(() => writeFile(path.join(folder, `${WEIGHTS}.index.json`), '{"weight_map":{"a":"x.safetensors"}}')), 'CHECKPOINT_MISSING', /the index names it/],
    ['with an index that is none', (folder) => rm(path.join(folder, WEIGHTS)).then(() => writeFile(path.join(folder, `${WEIGHTS}.index.json`), '{}')), 'CHECKPOINT_INVALID', /weight_map/],
  ])('%s', async (_, damage, code, message) => {
    const refusedWith = await refused(damage);
    expect(refusedWith).toEqual({ code, text: expect.stringMatching(message) as string });
  });
});

describe('a safetensors file is refused', () => {
  const entry = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
  const written = (header: Json | string, dataBytes: number) => (folder: string) => writeSafetensors(path.join(folder, WEIGHTS), header, dataBytes);

  it.each<[string, (folder: string) => Promise<unknown>, RegExp]>([
    ['that was cut off in its data', (folder) => truncate(path.join(folder, WEIGHTS), 500_000), /has 500000 bytes, its tensors need \d+: it is truncated/],
    ['that was cut off in its header', (folder) => truncate(path.join(folder, WEIGHTS), 1000), /its header claims \d+ bytes, but the file has 1000/],
    ['that is empty', (folder) => truncate(path.join(folder, WEIGHTS), 0), /0 bytes, too few/],
    ['whose header claims an absurd length', (folder) => writeFile(path.join(folder, WEIGHTS), Buffer.alloc(64, 0xff)), /its header claims 18446744073709551615 bytes/],
    ['whose header is not UTF-8', (folder) => writeFile(path.join(folder, WEIGHTS), Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from([0xff, 0xfe])])), /its header is not JSON/],
    ['whose header is not JSON', written('{"a": ', 0), /its header is not JSON/],
    ['whose header is no object', written('[1]', 0), /its header is not a JSON object/],
    ['whose entry is malformed', written({ a: { dtype: 'F32' } }, 0), /header entry "a"/],
    ['whose entry is called __proto__', written('{"__proto__": 3}', 0), /header entry "__proto__"/],
    ['with a negative dimension', written({ a: { ...entry, shape: [-2] } }, 8), /header entry "a"/],
    ['with an unknown dtype', written({ a: { ...entry, dtype: 'F33' } }, 8), /unknown dtype F33/],
    ['whose offsets do not hold the shape', written({ a: { ...entry, shape: [3] } }, 8), /needs 12 bytes, its offsets hold 8/],
    ['whose tensors overlap', written({ a: entry, b: { ...entry, data_offsets: [4, 12] } }, 12), /starts at byte 4 of the data, inside the tensor before it/],
    ['whose tensors leave a gap', written({ a: entry, b: { ...entry, data_offsets: [12, 20] } }, 20), /after a gap/],
    ['whose tensors lie outside the file', written({ a: { ...entry, shape: [2 ** 40], data_offsets: [0, 2 ** 42] } }, 8), /it is truncated/],
    ['with more data than tensors', written({ a: entry }, 9), /its tensors need/],
  ])('%s', async (_, damage, message) => {
    const refusedWith = await refused(damage);
    expect(refusedWith).toEqual({ code: 'CHECKPOINT_INVALID', text: expect.stringMatching(message) as string });
    expect(refusedWith.text).toContain(WEIGHTS);
  });

  it('with weights in double precision, as unsupported', async () => {
    const error = await refused(async (folder) => {
      const file = path.join(folder, WEIGHTS);
      const { header } = await readSafetensors(file);
      let end = 0;
      const double = Object.fromEntries(
        Object.entries(header).map(([name, { shape }]) => {
          const start = end;
          end += shape.reduce((product, dimension) => product * dimension, 8);
          return [name, { dtype: 'F64', shape, data_offsets: [start, end] }];
        }),
      );
      await writeSafetensors(file, double, end);
    });
    expect(error.code).toBe('MODEL_UNSUPPORTED');
    expect(error.text).toMatch(/is F64; supported are F32, F16, BF16[^]*and \d+ more/);
  });

  it('with bias tensors, as unsupported', async () => {
    const error = await refused(async (folder) => {
      const file = path.join(folder, WEIGHTS);
      const { header, data } = await readSafetensors(file);
      const bias = { dtype: 'F32', shape: [96], data_offsets: [data.length, data.length + 384] };
      await writeSafetensors(file, { ...header, 'model.layers.0.self_attn.q_proj.bias': bias }, Buffer.concat([data, Buffer.alloc(384)]));
    });
    expect(error.code).toBe('MODEL_UNSUPPORTED');
    expect(error.text).toContain('q_proj.bias has no place');
  });
});
