/** The single-shot graphs, on the CPU provider, against another implementation in float64. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SingleShotDecoder } from '../../evaluation/singleShot.js';
import { openCheckpoint } from '../../model/checkpoint.js';
import { asFloat32 } from '../../model/weightCache.js';
import { goldenModelFolder } from './fixtures.js';
import { differences, GOLDEN_MODELS, goldenForward, KINDS, LOGIT_TOLERANCE, Overall, PROBABILITY_TOLERANCE } from './goldenForward.js';

describe('single-shot in float32', () => {
  const overall = new Overall();
  let cache = '';
  beforeAll(async () => {
    cache = await mkdtemp(path.join(tmpdir(), 'ropesweep-single-shot-'));
  });
  afterAll(async () => {
    await rm(cache, { recursive: true });
    console.log(`single-shot, float32, CPU provider: ${GOLDEN_MODELS.length} models, ${overall.toString()}`);
  });

  it.each(GOLDEN_MODELS)('gives the golden logits, losses and attention of %s under every method', async (name) => {
    const golden = await goldenForward(name);
    const checkpoint = await asFloat32(await openCheckpoint(goldenModelFolder(name)), { folder: cache, limitBytes: 1e9 });
    const decoder = await SingleShotDecoder.open(checkpoint, { threads: 1, dtype: 'f32' });
    for (const expected of golden.cases) {
      const found = await differences(decoder, golden, expected);
      overall.see(found);
      for (const kind of KINDS) expect(found[kind]).toBeLessThan(kind === 'probabilities' ? PROBABILITY_TOLERANCE : LOGIT_TOLERANCE);
    }
    await decoder.dispose();
  });
});

describe('single-shot in float16', () => {
  // 11 bits of a logit up to 8 are half a step of 2^-9 each; some ten roundings follow one another.
  const TOLERANCE = 3e-2;

  it('stays within the roundings of the type: weights as they are stored, norms, rotation, softmax and losses in float32', async () => {
    const overall = new Overall();
    const golden = await goldenForward('llama-f16');
    const decoder = await SingleShotDecoder.open(await openCheckpoint(goldenModelFolder('llama-f16')), { threads: 1, dtype: 'f16' });
    for (const expected of golden.cases) overall.see(await differences(decoder, golden, expected, false));
    await decoder.dispose();
    console.log(`single-shot, float16, CPU provider: ${overall.toString()}`);
    for (const kind of KINDS) expect(overall.largest[kind]).toBeLessThan(TOLERANCE);
    // Not float32 after all.
    expect(overall.largest.logits).toBeGreaterThan(1e-4);
  });
});
