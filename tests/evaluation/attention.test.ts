/** Attention distributions against another implementation in float64, and what their bins and their sharing promise. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jensenShannon } from '../../domain/divergence.js';
import { digest } from '../../domain/identity.js';
import { id, type CellKey, type ShardId, type WeightsId } from '../../domain/ids.js';
import type { AttentionDistribution, AttentionNumbers, CellResult } from '../../domain/measurement.js';
import type { JobCellOf, ShardJobOf } from '../../domain/slot.js';
import { AXES_OF_KEYS, type KeyAxis } from '../../domain/taskSpec.js';
import { partsOf } from '../../evaluation/attention.js';
import { axisBins, binMasses } from '../../evaluation/attentionBins.js';
import { Decoder } from '../../evaluation/decoder.js';
import { Evaluator } from '../../evaluation/shard.js';
import { openCheckpoint } from '../../model/checkpoint.js';
import { openHaystack } from '../../prompts/haystack.js';
import { ropeTable } from '../../rope/method.js';
import { nameTable } from '../../rope/tableDigest.js';
import { starterTask } from '../prompts/starterTask.js';
import { goldenJson, goldenModelFolder, openDecoder, starterFolder } from './fixtures.js';

interface GoldenForward {
  readonly prompt: readonly number[];
  readonly rows: number;
  readonly span: readonly [number, number];
  readonly cases: readonly {
    readonly method: string;
    readonly inv_freq: readonly number[];
    readonly attention_factor: number;
    /** [layers][heads][rows][entropy, max p, its position, p at key 0, p on the span, p on the last 10] */
    readonly attention: readonly (readonly (readonly (readonly [number, number, number, number, number, number])[])[])[];
    /** [layers][heads]; none of the default method itself */
    readonly js_to_default_last_row?: readonly (readonly number[])[];
  }[];
}

/** Of probabilities and of divergences, as the golden numbers' README derives them. */
const TOLERANCE = 1e-4;
/** Float32 models whose layers, windows, heads and rotations differ. */
const MODELS = ['llama-gqa', 'llama-mqa', 'mistral-window', 'qwen2-mixed-window', 'qwen3', 'smollm3', 'phi3'];

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** [layers x heads][bins] of a prompt's last rows on one axis, read by the decoder itself. */
async function binned(decoder: Decoder, golden: GoldenForward, one: GoldenForward['cases'][number], axis: KeyAxis, rows: number): Promise<number[][]> {
  const { prompt } = golden;
  const bins = axisBins(axis, prompt.length);
  decoder.useTable({ inverseFrequencies: one.inv_freq, attentionFactor: one.attention_factor }, prompt.length);
  const edges = Array.from({ length: rows }, (_, row) => bins.edges(prompt.length - rows + row));
  const { massBelow } = await decoder.feed(prompt, { probeRows: rows, edges });
  const own = bins.bins + 1;
  return Array.from({ length: massBelow.length / own }, (_, pair) => binMasses(massBelow.subarray(pair * own, (pair + 1) * own), bins));
}

describe.each(MODELS)('distributions of %s', (name) => {
  let golden: GoldenForward;
  let decoder: Decoder;
  beforeAll(async () => {
    golden = (await goldenJson(`forward/${name}.json`)) as GoldenForward;
    decoder = await Decoder.open(await openCheckpoint(goldenModelFolder(name)), { threads: 1, dtype: 'f32', distributions: true });
  });
  afterAll(() => decoder.dispose());

  it('have the golden masses on key 0, on the span and on the last keys', async () => {
    let worst = 0;
    const { rows, span } = golden;
    for (const one of golden.cases) {
      const on = { fraction: await binned(decoder, golden, one, 'fraction', rows), index: await binned(decoder, golden, one, 'index', rows), distance: await binned(decoder, golden, one, 'distance', rows) };
      one.attention.flat().forEach((ofRows, pair) => {
        const mean = (column: 3 | 4 | 5): number => sum(ofRows.map((row) => row[column])) / rows;
        const differences = [
          (on.fraction[pair]?.[0] ?? NaN) - mean(3),
          (on.index[pair]?.[0] ?? NaN) - mean(3),
          sum(on.index[pair]?.slice(...span) ?? [NaN]) - mean(4),
          sum(on.distance[pair]?.slice(0, 10) ?? [NaN]) - mean(5),
        ];
        worst = Math.max(worst, ...differences.map(Math.abs));
        for (const axis of AXES_OF_KEYS) expect(Math.abs(sum(on[axis][pair] ?? []) - 1)).toBeLessThan(1e-6);
      });
    }
    console.log(`${name}: largest difference of a mass: ${worst.toExponential(1)}`);
    expect(worst).toBeLessThan(TOLERANCE);
  });

  it('have the golden divergences from plain RoPE', async () => {
    const plain = golden.cases.find(({ method }) => method === 'default');
    if (plain === undefined) throw new Error('the golden cases have plain RoPE');
    // Of two rows the first has no mass in any bin, so that the last one's distribution is left, halved.
    const lastRow = async (one: GoldenForward['cases'][number]): Promise<number[][]> => {
      const { prompt } = golden;
      const bins = axisBins('index', prompt.length);
      decoder.useTable({ inverseFrequencies: one.inv_freq, attentionFactor: one.attention_factor }, prompt.length);
      const edges = [Array.from({ length: bins.bins + 1 }, () => 0), bins.edges(prompt.length - 1)];
      const { massBelow } = await decoder.feed(prompt, { probeRows: 2, edges });
      const own = bins.bins + 1;
      return Array.from({ length: massBelow.length / own }, (_, pair) => binMasses(massBelow.subarray(pair * own, (pair + 1) * own), bins).map((mass) => 2 * mass));
    };
    const reference = await lastRow(plain);
    let worst = 0;
    expect(golden.cases.filter((one) => one.js_to_default_last_row !== undefined).length).toBeGreaterThan(0);
    for (const one of golden.cases) {
      const own = await lastRow(one);
      one.js_to_default_last_row?.flat().forEach((expected, pair) => {
        worst = Math.max(worst, Math.abs(jensenShannon(own[pair] ?? [], reference[pair] ?? []) - expected));
      });
    }
    console.log(`${name}: largest difference of a divergence: ${worst.toExponential(1)}`);
    expect(worst).toBeLessThan(TOLERANCE);
  });
});

describe('bins', () => {
  it.each(AXES_OF_KEYS)('of the axis %s hold every key that a row sees once, by its definition', (axis) => {
    for (const position of [1, 2, 63, 100, 128, 129, 1000, 4095]) {
      const contextTokens = position + 1 + 64;
      const bins = axisBins(axis, contextTokens);
      const edges = bins.edges(position);
      expect(edges).toHaveLength(bins.bins + 1);
      expect([edges[0], edges.at(-1)]).toEqual([0, position + 1]);
      const n = position + 1;
      for (let key = 0; key < n; key += 1) {
        const place = edges.findIndex((edge, index) => edge <= key && key < (edges[index + 1] ?? 0));
        const bin = bins.reversed ? bins.bins - 1 - place : place;
        if (axis === 'index') expect(bin).toBe(key);
        if (axis === 'fraction') expect(bin).toBe(key === 0 ? 0 : 1 + Math.floor((128 * key) / n));
        if (axis === 'distance' && position - key < 16) expect(bin).toBe(position - key);
      }
    }
  });

  it('of a distance are the same at every length, and eight to a doubling beyond 16', () => {
    const [near, far] = [axisBins('distance', 1024), axisBins('distance', 4096)];
    expect(far.bins - near.bins).toBe(16);
    const distances = (bins: typeof near, position: number): number[] => bins.edges(position).map((edge) => position + 1 - edge).reverse();
    expect(distances(near, 1023)).toEqual(distances(far, 4095).slice(0, near.bins + 1));
  });
});

describe('the rows of a document', () => {
  const one = { checkpoint: { config: { heads: 32 } }, keepsKv: true } as Parameters<typeof partsOf>[2];
  it.each([2, 3, 64, 65, 511])('%i of them leave in parts of at least two, no more at once than the bound', (rows) => {
    for (const contextTokens of [512, 8192, 131_072, 2 ** 20]) {
      const parts = partsOf(rows, contextTokens, one);
      expect(sum(parts)).toBe(rows);
      expect(Math.min(...parts)).toBeGreaterThanOrEqual(2);
      expect(Math.max(...parts)).toBeLessThanOrEqual(Math.max(3, 2 ** 24 / (32 * contextTokens)));
    }
  });

  it('leave at once where nothing is kept between runs', () => {
    expect(partsOf(64, 131_072, { ...one, keepsKv: false })).toEqual([64]);
  });
});

describe('an attention shard', () => {
  const ROWS = 16;
  let evaluator: Evaluator;
  let job: ShardJobOf<'attention'>;
  let cache = '';
  const cell = (contextTokens: number): JobCellOf<'attention'> => ({ key: id<CellKey>(digest([contextTokens])), contextTokens, table: 0, axes: {} });

  beforeAll(async () => {
    cache = await mkdtemp(path.join(tmpdir(), 'ropesweep-attention-'));
    evaluator = new Evaluator(1, { folder: cache, limitBytes: 0 });
    const { haystack } = await starterTask();
    job = {
      shardId: id<ShardId>('shard'),
      checkpoint: { folder: starterFolder('base'), weightsId: id<WeightsId>('base') },
      tables: [nameTable(ropeTable({ name: 'none' }, { rotarySize: 32, base: 500, originalContextTokens: 128 }, 0))],
      task: {
        kind: 'attention',
        documents: [1, 2, 3].map((seed) => ({ id: String(seed), name: `seed ${String(seed)}`, tokens: null, source: { kind: 'haystack', haystack, seed }, headIds: [0], textDigest: null })),
        documentsDigest: 'documents',
        tokenizerDigest: 'none',
        rows: ROWS,
        axes: [...AXES_OF_KEYS],
        references: [],
        probes: 'heads',
      },
      dtype: 'f32',
      cells: [cell(96), cell(300), cell(310)],
      flops: 0,
    };
    await evaluator.load(job);
  });
  afterAll(async () => {
    await evaluator.close();
    await rm(cache, { recursive: true });
  });

  async function run(changed: Partial<ShardJobOf<'attention'>>): Promise<{ results: Map<CellKey, CellResult>; computedTokens: number; distinctTokens: number }> {
    const results = new Map<CellKey, CellResult>();
    const stats = await evaluator.run({ ...job, ...changed }, 0, (result) => results.set(result.key, { ...result, ...('seconds' in result && { seconds: 0 }) }));
    return { results, ...stats };
  }
  const numbersOf = (result: CellResult | undefined): AttentionNumbers => {
    if (result?.state !== 'measured' || !('attention' in result)) throw new Error(`not measured: ${JSON.stringify(result)}`);
    return result.attention;
  };

  it('gives each context length the numbers that it has alone, and computes a document once', async () => {
    const together = await run({});
    for (const one of job.cells) {
      const alone = await run({ cells: [one] });
      expect(together.results.get(one.key)).toEqual(alone.results.get(one.key));
    }
    expect(together.distinctTokens).toBe(3 * 310);
    // Rows that overlap (294 of 300 are past 310 - 16) are computed once more.
    expect(together.computedTokens).toBeLessThanOrEqual(3 * (310 + ROWS));
  });

  it('means over rows and documents what the probes of a plain pass give', async () => {
    const contextTokens = 300;
    const numbers = numbersOf((await run({ cells: [cell(contextTokens)] })).results.get(cell(contextTokens).key));
    const decoder = await openDecoder(starterFolder('base'));
    const [entropies, sinks]: [number[], number[]] = [[], []];
    for (const seed of [1, 2, 3]) {
      const { haystack } = await starterTask();
      const filler = (await openHaystack(haystack, null))(seed).prefix(contextTokens - 1);
      decoder.useTable(job.tables[0] ?? { inverseFrequencies: [], attentionFactor: 1 }, contextTokens);
      const { probes } = await decoder.feed([0, ...filler], { probeRows: ROWS });
      entropies.push(...probes.entropy);
      sinks.push(...probes.sinkMass);
    }
    await decoder.dispose();
    expect(numbers.entropy).toBeCloseTo(sum(entropies) / entropies.length, 6);
    expect(numbers.sinkMass).toBeCloseTo(sum(sinks) / sinks.length, 6);
    const { layers, headCount } = numbers;
    for (const { axis, mean, bins, heads } of numbers.distributions) {
      expect(sum([...mean]), axis).toBeCloseTo(1, 6);
      const packed = Buffer.from(heads ?? '', 'base64');
      expect(packed.length).toBe(4 * layers * headCount * bins);
      const first = Array.from({ length: layers * headCount }, (_, pair) => packed.readFloatLE(4 * pair * bins));
      expect(sum(first) / first.length, axis).toBeCloseTo(mean[0] ?? NaN, 6);
      // Key 0 is the first bin of two axes.
      if (axis !== 'distance') expect(mean[0], axis).toBeCloseTo(numbers.sinkMass, 6);
    }
  });

  it('leaves heads out of a summary', async () => {
    const { results } = await run({ cells: [cell(96)], task: { ...job.task, probes: 'summary' } });
    expect(numbersOf(results.get(cell(96).key)).distributions.map(({ heads }: AttentionDistribution) => heads)).toEqual([null, null, null]);
  });

  it('goes on past a length that cannot hold the rows', async () => {
    const { results } = await run({ cells: [cell(8), cell(96)] });
    expect(results.get(cell(8).key)).toMatchObject({ state: 'failed', code: 'PROMPT_IMPOSSIBLE' });
    expect(results.get(cell(96).key)).toMatchObject({ state: 'measured' });
  });
});
