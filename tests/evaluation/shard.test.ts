import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digest } from '../../domain/identity.js';
import { id, type CellKey, type ShardId, type TableDigest, type WeightsId } from '../../domain/ids.js';
import type { CellResult } from '../../domain/measurement.js';
import type { JobCellOf, ShardJobOf } from '../../domain/slot.js';
import { needleSchema } from '../../domain/promptSpec.js';
import { Evaluator } from '../../evaluation/shard.js';
import { drawNeedle } from '../../prompts/needle.js';
import { ropeTable } from '../../rope/method.js';
import { nameTable } from '../../rope/tableDigest.js';
import { starterTask } from '../prompts/starterTask.js';
import { starterFolder } from './fixtures.js';

const VOCABULARY = 256;
const evaluator = new Evaluator(1, { folder: '/nowhere', limitBytes: 0 }); // the starter models are float32: nothing is kept

const cell = (contextTokens: number, depth: number, seed: number): JobCellOf<'needle'> => ({
  key: id<CellKey>(digest([contextTokens, depth, seed])),
  contextTokens,
  table: 0,
  axes: { depth, seed },
});

let job: ShardJobOf<'needle'>;
beforeAll(async () => {
  job = {
    shardId: id<ShardId>('shard'),
    checkpoint: { folder: starterFolder('base'), weightsId: id<WeightsId>('base') },
    tables: [nameTable(ropeTable({ name: 'none' }, { rotarySize: 32, base: 500, originalContextTokens: 128 }, 0))],
    task: await starterTask(),
    dtype: 'f32',
    cells: [cell(96, 0, 1), cell(96, 1, 1), cell(128, 0, 1), cell(128, 0.5, 2)],
    flops: 0,
  };
  await evaluator.load(job);
});
afterAll(() => evaluator.close());

async function run(changed: Partial<ShardJobOf<'needle'>>): Promise<Map<CellKey, CellResult>> {
  const results = new Map<CellKey, CellResult>();
  await evaluator.run({ ...job, ...changed }, 0, (result) => results.set(result.key, result));
  return results;
}

/** Without what a clock says. */
const numbers = (result: CellResult | undefined): unknown => ({ ...result, seconds: 0 });

describe('a shard', () => {
  it('gives every cell one result, with the numbers that the cell has alone', async () => {
    const together = await run({});
    expect(together.size).toBe(job.cells.length);
    for (const one of job.cells) {
      const alone = await run({ cells: [one] });
      expect(numbers(together.get(one.key))).toEqual(numbers(alone.get(one.key)));
    }
  });

  it('computes at most 1.02 times its distinct prompt tokens, greedy completion of failing cells counted apart', async () => {
    const depths = Array.from({ length: 11 }, (_, index) => index / 10);
    const cells = [256, 512, 768].flatMap((contextTokens) => [1, 2].flatMap((seed) => depths.map((depth) => cell(contextTokens, depth, seed))));
    const { promptTokens, distinctTokens, computedTokens, completionTokens } = await evaluator.run({ ...job, cells }, 0, () => undefined);
    const ratio = computedTokens / distinctTokens;
    console.log(`${promptTokens} prompt tokens, ${distinctTokens} distinct, ${computedTokens} computed (${ratio.toFixed(4)}), ${completionTokens} to complete`);
    expect(completionTokens).toBeGreaterThan(0);
    expect(distinctTokens).toBeLessThan(0.7 * promptTokens);
    expect(ratio).toBeGreaterThanOrEqual(1);
    expect(ratio).toBeLessThanOrEqual(1.02);
  });

  it('goes on past a cell that cannot be evaluated, which fails with its reason', async () => {
    // Some seeds draw an answer beyond the vocabulary, others do not.
    const needle = needleSchema.parse({ kind: 'symbols', values: { first: 128, count: 160 } });
    const fits = (seed: number): boolean => {
      const drawn = drawNeedle(needle, seed);
      return drawn.form === 'ids' && drawn.answerIds.every((token) => token < VOCABULARY);
    };
    const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
    const results = await run({ task: { ...job.task, needle }, cells: seeds.map((seed) => cell(96, 0.5, seed)) });
    expect(new Set(seeds.map(fits)).size).toBe(2);
    for (const seed of seeds) {
      const result = results.get(cell(96, 0.5, seed).key);
      if (fits(seed)) expect(result).toMatchObject({ state: 'measured' });
      else expect(result).toMatchObject({ state: 'failed', reason: expect.stringContaining('is not one of 256 token ids') as string });
    }
    const undisturbed = await run({ task: { ...job.task, needle }, cells: seeds.filter(fits).map((seed) => cell(96, 0.5, seed)) });
    for (const [key, result] of undisturbed) expect(numbers(results.get(key))).toEqual(numbers(result));
  });

  it('whose table is not the one its digest names is refused before any cell', async () => {
    const [table] = job.tables;
    if (table === undefined) throw new Error('the job has a table');
    const results: CellResult[] = [];
    const wrong = { ...job, tables: [{ ...table, digest: id<TableDigest>(digest('another')) }] };
    await expect(evaluator.run(wrong, 0, (result) => results.push(result))).rejects.toMatchObject({ code: 'TABLE_MISMATCH' });
    expect(results).toEqual([]);
  });
});
