/** Models of 7 to 13 billion parameters, of which only the config.json is here: every tensor at 131,072 tokens can be indexed. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { LONGEST_CHUNK } from '../../evaluation/chunks.js';
import { readConfig, type ConfigFile } from '../../model/config.js';
import { decoderGraph, type GraphSource } from '../../model/decoderGraph.js';
import { DECODER } from '../../model/decoderInterface.js';
import { singleShotGraph } from '../../model/singleShotGraph.js';
import { tensorShapes } from '../../model/tensorNames.js';
import { graphShapes, type Sizes } from './graphShapes.js';

const TOKENS = 131_072;
const PROBED = 64;
const LIMIT = 2 ** 31;
const NAMES = ['llama-2-7b', 'llama-2-13b', 'llama-3-8b'];
const { inputs } = DECODER;

const configOf = (name: string): Promise<ConfigFile> => readConfig(fileURLToPath(new URL(`../../models/configs/${name}`, import.meta.url)));
/** Shapes of weights that nobody has. */
const imaginary = (file: ConfigFile, dtype: 'F32' | 'F16'): GraphSource => ({
  ...file,
  folder: '/model',
  tensors: new Map([...tensorShapes(file.config)].map(([name, shape]) => [name, { file: '/model/model.safetensors', dtype, shape, byteOffset: 0, byteLength: 4 }])),
});

/** The largest tensor of a run of `chunk` tokens that ends at TOKENS. */
function largest(model: Uint8Array, chunk: number): { name: string; elements: number } {
  const sizes: Sizes = { S: chunk, C: TOKENS, table: TOKENS, P: PROBED, R: PROBED, n: TOKENS };
  const shapes = graphShapes(model, sizes, {
    [inputs.newStart]: [TOKENS - chunk],
    [inputs.newEnd]: [TOKENS],
    [inputs.rowStart]: [chunk - PROBED],
    [inputs.probeStart]: [chunk - PROBED],
    [inputs.probeKeys]: [TOKENS],
    [inputs.localTokens]: [10],
  });
  const [first] = [...shapes].map(([name, shape]) => ({ name: `${name} [${shape.join(', ')}]`, elements: shape.reduce((product, dimension) => product * dimension, 1) })).sort((a, b) => b.elements - a.elements);
  if (first === undefined) throw new Error('no tensors');
  return first;
}

describe.each(NAMES)('%s at 131,072 tokens', (name) => {
  it('has no tensor of 2^31 elements when it is fed in chunks', async () => {
    const source = imaginary(await configOf(name), 'F32');
    const { name: tensor, elements } = largest(decoderGraph(source), LONGEST_CHUNK);
    console.log(`${name} in chunks of ${LONGEST_CHUNK}: largest tensor ${tensor}, ${(elements / LIMIT).toFixed(3)} of the limit`);
    expect(elements).toBeLessThan(LIMIT);
  });

  it.each(['answer', 'every'] as const)('has no tensor of 2^31 elements in one run with losses of %s row(s)', async (rows) => {
    const source = imaginary(await configOf(name), 'F16');
    const { name: tensor, elements } = largest(singleShotGraph(source, { type: 'float16', rows }), TOKENS);
    console.log(`${name} in one run (${rows}): largest tensor ${tensor}, ${(elements / LIMIT).toFixed(3)} of the limit`);
    expect(elements).toBeLessThan(LIMIT);
  });

  it('would have one in one run, were the logits of all rows made at once', async () => {
    const { config } = await configOf(name);
    expect(TOKENS * config.vocabularySize).toBeGreaterThan(LIMIT);
  });
});

it('a config without a theta has the default one, and the trained context of its family', async () => {
  expect((await configOf('llama-2-7b')).geometry).toEqual({ rotarySize: 128, base: 10_000, originalContextTokens: 4096 });
  expect((await configOf('llama-3-8b')).geometry).toEqual({ rotarySize: 128, base: 500_000, originalContextTokens: 8192 });
});
