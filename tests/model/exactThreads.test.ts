/** How many threads leave the bits alone: shares of a product's outputs that are summed like the whole. */
import { describe, expect, it } from 'vitest';
import { mostExactThreads } from '../../model/exactThreads.js';

const shape = (hiddenSize: number, intermediateSize: number, heads: number, keyValueHeads: number, headSize: number) =>
  mostExactThreads({ layers: 1, hiddenSize, intermediateSize, heads, keyValueHeads, headSize, vocabularySize: 8, rmsNormEpsilon: 1e-5, tiedEmbeddings: true });

describe('the most threads that leave the bits of products alone', () => {
  it('are two for SmolLM2-135M, whose 192 keys would fall into shares of 64 at three', () => {
    expect(shape(576, 1536, 9, 3, 64)).toBe(2);
  });

  it('are one where half of the outputs are few already', () => {
    expect(shape(96, 192, 3, 3, 32)).toBe(1);
  });

  it('are as many as there are where all inputs are summed in one slice', () => {
    expect(shape(64, 128, 4, 2, 16)).toBe(1024);
  });

  it('are a dozen or more for models of billions of parameters', () => {
    expect(shape(4096, 14_336, 32, 8, 128)).toBe(12);
    expect(shape(4096, 11_008, 32, 32, 128)).toBeGreaterThan(40);
  });
});
