/** Decoders of GGUF files against the dequantised weights computed in float64 by other people's code. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Decoder } from '../../evaluation/decoder.js';
import { forwardPass } from '../../evaluation/forward.js';
import { openCheckpoint } from '../../model/checkpoint.js';
import { asFloat32 } from '../../model/weightCache.js';
import { ropeTable } from '../../rope/method.js';
import { GGUF_MODELS, ggufFile, goldenGguf } from '../model/goldenGguf.js';

const TOLERANCE = 3e-4;
let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(path.join(tmpdir(), 'ropesweep-gguf-'));
});
afterAll(() => rm(cache, { recursive: true }));

const largest = (ours: readonly (number | undefined)[], theirs: readonly number[]): number =>
  theirs.reduce((worst, value, index) => {
    const difference = Math.abs((ours[index] ?? NaN) - value);
    return difference <= worst ? worst : difference; // not a number counts as the largest
  }, 0);

it.each(GGUF_MODELS)('%s gives the golden logits, losses and most likely tokens with the settings of the file', async (name) => {
  const golden = await goldenGguf(name);
  const checkpoint = await asFloat32(await openCheckpoint(ggufFile(name)), { folder: cache, limitBytes: 1e9 });
  const decoder = await Decoder.open(checkpoint, { threads: 1, dtype: 'f32' });
  decoder.useTable(ropeTable(checkpoint.ropeSettings, checkpoint.geometry, golden.prompt.length), golden.prompt.length);
  const { top1, nll, last } = await forwardPass(decoder, golden.prompt, golden.logits.length);
  await decoder.dispose();

  const logits = largest(last.rows.flatMap((row) => [...(row.logits ?? [])]), golden.logits.flat());
  const losses = largest(nll, golden.nll);
  console.log(`${name}: largest differences: logits ${logits.toExponential(1)}, losses ${losses.toExponential(1)}`);
  expect(last.rows.map((row) => row.logits?.length)).toEqual(golden.logits.map((row) => row.length));
  expect(nll).toHaveLength(golden.nll.length);
  expect(logits).toBeLessThan(TOLERANCE);
  expect(losses).toBeLessThan(TOLERANCE);
  const certain = (tokens: readonly number[]) => tokens.filter((_, row) => !golden.top1_uncertain.includes(row));
  expect(certain(top1)).toEqual(certain(golden.top1));
});
