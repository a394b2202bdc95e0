/** The methods against tables computed by another implementation in float64. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { methodSchema, type Method, type RopeGeometry } from '../../domain/method.js';
import { cosSinTables } from '../../rope/cosSin.js';
import { effectiveScale, logitScale, ropeTable } from '../../rope/method.js';
import { largestDifference, relative, type GoldenTable } from './goldenTable.js';

interface GoldenEntry extends GoldenTable {
  id: string;
  method: keyof typeof NAMES;
  rotary_size: number;
  base: number;
  trained_context: number;
  length: number | null;
  params: Record<string, number | boolean | number[]>;
  hf: { max_position_embeddings: number };
}
interface GoldenCosSin extends Omit<GoldenEntry, 'id' | 'inv_freq' | 'length' | 'hf'> {
  rows: { position: number; cos: number[]; sin: number[] }[];
}

const NAMES = { default: 'none', linear: 'pi', ntk: 'ntk', dynamic: 'dynamic-ntk', yarn: 'yarn', longrope: 'longrope', llama3: 'llama3' } as const;
const PARAMETERS: Record<string, string> = {
  alpha: 'factor',
  beta_fast: 'betaFast',
  beta_slow: 'betaSlow',
  attention_factor: 'attentionFactor',
  mscale_all_dim: 'mscaleAllDim',
  short_factor: 'shortFactor',
  long_factor: 'longFactor',
  low_freq_factor: 'lowFreqFactor',
  high_freq_factor: 'highFreqFactor',
};

const golden = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(new URL(`../golden/rope/${name}.json`, import.meta.url), 'utf8')) as unknown;
/** longrope's longest context stands beside its parameters; a factor of its own wins over it. */
const extentOf = ({ method, params, hf }: Pick<GoldenEntry, 'method' | 'params'> & { hf?: GoldenEntry['hf'] }): object =>
  method === 'longrope' && params['factor'] === undefined ? { targetContextTokens: hf?.max_position_embeddings } : {};
const methodOf = (entry: Pick<GoldenEntry, 'method' | 'params'> & { hf?: GoldenEntry['hf'] }): Method =>
  methodSchema.parse({
    name: NAMES[entry.method],
    ...Object.fromEntries(Object.entries(entry.params).map(([key, value]) => [PARAMETERS[key] ?? key, value])),
    ...extentOf(entry),
  });
const geometryOf = (entry: Pick<GoldenEntry, 'rotary_size' | 'base' | 'trained_context'>): RopeGeometry => ({
  rotarySize: entry.rotary_size,
  base: entry.base,
  originalContextTokens: entry.trained_context,
});

describe.each(Object.keys(NAMES))('%s tables', (name) => {
  it('equal the golden ones to 1e-12 relative', async () => {
    const entries = (await golden(name)) as GoldenEntry[];
    let largest = { difference: 0, id: '' };
    for (const entry of entries) {
      const difference = largestDifference(ropeTable(methodOf(entry), geometryOf(entry), entry.length ?? 0), entry);
      if (!(difference <= largest.difference)) largest = { difference, id: entry.id };
    }
    console.log(`${name}: ${entries.length} tables, largest relative difference ${largest.difference.toExponential(1)} (${largest.id})`);
    expect(largest.difference).toBeLessThan(1e-12);
  });
});

describe('cos and sin', () => {
  it('equal the golden rows to float32 rounding, up to position 131071', async () => {
    const entries = (await golden('cos_sin')) as GoldenCosSin[];
    const differences = entries.flatMap((entry) => {
      const length = Math.max(...entry.rows.map((row) => row.position)) + 1;
      const pairs = entry.rotary_size / 2;
      const { cos, sin } = cosSinTables(ropeTable(methodOf(entry), geometryOf(entry), length), length);
      return entry.rows.flatMap((row) =>
        row.cos.flatMap((value, pair) => [
          Math.abs((cos[row.position * pairs + pair] ?? NaN) - value),
          Math.abs((sin[row.position * pairs + pair] ?? NaN) - (row.sin[pair] ?? NaN)),
        ]),
      );
    });
    const largest = Math.max(...differences);
    console.log(`cos and sin: ${differences.length} numbers, largest difference ${largest.toExponential(1)}`);
    expect(largest).toBeLessThan(6.1e-8);
  });

  it('carry the attention factor', () => {
    const table = { inverseFrequencies: [1, 0.5], attentionFactor: 1.25 };
    const { cos, sin } = cosSinTables(table, 3);
    expect([...cos]).toEqual([1.25, 1.25, ...[1, 0.5, 2, 1].map((phase) => Math.fround(1.25 * Math.cos(phase)))]);
    expect([...sin.subarray(4)]).toEqual([2, 1].map((phase) => Math.fround(1.25 * Math.sin(phase))));
  });
});

describe('effective scale', () => {
  const llama2: RopeGeometry = { rotarySize: 128, base: 10_000, originalContextTokens: 4096 };
  const scale = (method: Method, length = 0): number => effectiveScale(ropeTable(method, llama2, length), llama2);

  it('is the factor for pi, ntk, yarn and llama3, and 93.06 for base 1e6 at rotary size 128', () => {
    expect(scale({ name: 'none' })).toBe(1);
    expect(scale({ name: 'pi', factor: 16 })).toBeCloseTo(16, 10);
    expect(scale({ name: 'ntk', factor: 16 })).toBeCloseTo(16, 10);
    expect(scale(methodSchema.parse({ name: 'yarn', factor: 16 }))).toBeCloseTo(16, 10);
    expect(scale(methodSchema.parse({ name: 'llama3', factor: 16 }))).toBeCloseTo(16, 10);
    expect(scale({ name: 'ntk', base: 1e6 })).toBeCloseTo(93.06, 2);
  });

  it('is that of the length where the table depends on it', () => {
    expect(scale({ name: 'dynamic-ntk', factor: 2 }, 4096)).toBe(1);
    expect(scale({ name: 'dynamic-ntk', factor: 2 }, 16_384)).toBeCloseTo(2 * 4 - 1, 10);
    const longrope = { name: 'longrope', factor: 32, shortFactor: Array<number>(64).fill(1.5), longFactor: Array<number>(64).fill(20) } as const;
    expect(scale(methodSchema.parse(longrope), 4096)).toBeCloseTo(1.5, 10);
    expect(scale(methodSchema.parse(longrope), 4097)).toBeCloseTo(20, 10);
  });
});

describe('logit scale', () => {
  it('is the square of the attention factor', () => {
    const yarn16 = ropeTable(methodSchema.parse({ name: 'yarn', factor: 16 }), { rotarySize: 128, base: 10_000, originalContextTokens: 4096 }, 0);
    expect(relative(logitScale(yarn16), 1.2772588722239782 ** 2)).toBeLessThan(1e-15);
    expect(logitScale({ inverseFrequencies: [1], attentionFactor: 1 })).toBe(1);
  });
});
