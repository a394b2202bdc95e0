import { describe, expect, it } from 'vitest';
import { normalizedEntropies, visibleKeys } from '../../evaluation/visibleKeys.js';
import { openCheckpoint } from '../../model/checkpoint.js';
import { goldenJson, goldenModelFolder } from './fixtures.js';

interface GoldenForward {
  readonly prompt: readonly number[];
  readonly rows: number;
  readonly cases: readonly { readonly keys: readonly (readonly number[])[] }[];
}

describe.each(['llama-gqa', 'mistral-window', 'qwen2', 'qwen2-mixed-window', 'phi3'])('rows of %s', (name) => {
  it('see as many keys as the golden ones, layer by layer', async () => {
    const { config } = await openCheckpoint(goldenModelFolder(name));
    const { prompt, rows, cases } = (await goldenJson(`forward/${name}.json`)) as GoldenForward;
    cases[0]?.keys.forEach((ofLayer, layer) => ofLayer.forEach((keys, row) => expect(visibleKeys(config, layer, prompt.length - rows + row)).toBe(keys)));
    expect(cases[0]?.keys).toHaveLength(config.layers);
  });
});

describe('a normalised entropy', () => {
  it('is 1 of a uniform distribution over the keys of the window, and 0 of a row that sees one key', async () => {
    const { config } = await openCheckpoint(goldenModelFolder('qwen2-mixed-window'));
    const rows = 3;
    const uniform = Array.from({ length: config.layers * config.heads * rows }, (_, index) =>
      Math.log(visibleKeys(config, Math.floor(index / (config.heads * rows)), 40 + (index % rows))),
    );
    for (const value of normalizedEntropies(config, uniform, rows, 40)) expect(value).toBeCloseTo(1, 15);
    expect(normalizedEntropies(config, [0], 1, 0)).toEqual([0]);
  });
});
