import { stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../model/checkpoint.js';
import type { ModelConfig } from '../../model/config.js';
import { assertGraphFits, decoderGraph, type GraphSource } from '../../model/decoderGraph.js';
import { tensorShapes } from '../../model/tensorNames.js';
import { STARTER } from './checkpointFolder.js';

/** LLaMA-2-7B, of which only the shapes are needed. */
const llama7b: ModelConfig = {
  layers: 32, hiddenSize: 4096, intermediateSize: 11_008, heads: 32, keyValueHeads: 32, headSize: 128, vocabularySize: 32_000, rmsNormEpsilon: 1e-5, tiedEmbeddings: false,
};
const imaginary = (config: ModelConfig): GraphSource => ({
  config,
  geometry: { rotarySize: config.headSize, base: 10_000, originalContextTokens: 4096 },
  folder: '/model',
  tensors: new Map([...tensorShapes(config)].map(([name, shape]) => [name, { file: '/model/model.safetensors', dtype: 'F32', shape, byteOffset: 0, byteLength: 4 }])),
});

describe('the decoder graph', () => {
  it('refers to the weights in their file and carries none', async () => {
    const checkpoint = await openCheckpoint(STARTER);
    const bytes = decoderGraph(checkpoint);
    expect(bytes.length).toBeLessThan((await stat(path.join(STARTER, 'model.safetensors'))).size / 20);
    expect(Buffer.from(bytes).includes(path.relative('/', path.join(STARTER, 'model.safetensors')))).toBe(true);
  });

  it('of 32 layers stays below 400 kB, and is the same each time', () => {
    const bytes = decoderGraph(imaginary(llama7b));
    expect(bytes.length).toBeLessThan(400_000);
    expect(Buffer.from(decoderGraph(imaginary(llama7b))).equals(bytes)).toBe(true);
  });

  it('is refused where a weight would reach 2^31 elements', () => {
    expect(() => decoderGraph(imaginary({ ...llama7b, vocabularySize: 2 ** 19 }))).toThrow(/embed_tokens.*2\^31/);
  });

  it('is refused where a tensor of a run would reach 2^31 elements', () => {
    const fits = { capacityTokens: 131_072, chunkTokens: 512, rows: 8 };
    expect(() => assertGraphFits(llama7b, fits)).not.toThrow();
    expect(() => assertGraphFits(llama7b, { ...fits, capacityTokens: 2 ** 19 })).toThrow(/KV cache/);
    expect(() => assertGraphFits(llama7b, { ...fits, rows: 2 ** 17 })).toThrow(/probe scores/);
    expect(() => assertGraphFits({ ...llama7b, heads: 1 }, { ...fits, capacityTokens: 1000, rows: 2 ** 17 })).toThrow(/logits/);
  });
});
