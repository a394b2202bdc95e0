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
