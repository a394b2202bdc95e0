/** The methods against tables computed by another implementation in float64. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { methodSchema, type Method, type RopeGeometry } from '../../domain/method.js';
import { cosSinTables } from '../../rope/cosSin.js';
import { effectiveScale, ropeTable } from '../../rope/method.js';

interface GoldenTable {
  id: string;
  method: 'default' | 'linear' | 'ntk' | 'yarn';
  rotary_size: number;
  base: number;
  trained_context: number;
  params: Record<string, number | boolean>;
  inv_freq: number[];
  attention_factor: number;
}
interface GoldenCosSin extends Omit<GoldenTable, 'id' | 'inv_freq'> {
  rows: { position: number; cos: number[]; sin: number[] }[];
}

const NAMES = { default: 'none', linear: 'pi', ntk: 'ntk', yarn: 'yarn' } as const;
const PARAMETERS: Record<string, string> = {
  alpha: 'factor',
  beta_fast: 'betaFast',
  beta_slow: 'betaSlow',
  attention_factor: 'attentionFactor',
  mscale_all_dim: 'mscaleAllDim',
};

const golden = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(new URL(`../golden/rope/${name}.json`, import.meta.url), 'utf8')) as unknown;
const methodOf = ({ method, params }: Pick<GoldenTable, 'method' | 'params'>): Method =>
  methodSchema.parse({ name: NAMES[method], ...Object.fromEntries(Object.entries(params).map(([key, value]) => [PARAMETERS[key] ?? key, value])) });
const geometryOf = (entry: Pick<GoldenTable, 'rotary_size' | 'base' | 'trained_context'>): RopeGeometry => ({
  rotarySize: entry.rotary_size,
  base: entry.base,
  originalContextTokens: entry.trained_context,
});
const relative = (ours: number, theirs: number): number => Math.abs(ours - theirs) / Math.abs(theirs);

describe.each(['default', 'linear', 'ntk', 'yarn'])('%s tables', (name) => {
  it('equal the golden ones to 1e-12 relative', async () => {
    const entries = (await golden(name)) as GoldenTable[];
    let largest = { difference: 0, id: '' };
    for (const entry of entries) {
      const table = ropeTable(methodOf(entry), geometryOf(entry), 0);
      expect(table.inverseFrequencies).toHaveLength(entry.inv_freq.length);
      const difference = Math.max(
        relative(table.attentionFactor, entry.attention_factor),
        ...table.inverseFrequencies.map((frequency, pair) => relative(frequency, entry.inv_freq[pair] ?? NaN)),
      );
      if (!(difference <= largest.difference)) largest = { difference, id: entry.id };
    }
    console.log(`${name}: ${entries.length} tables, largest relative difference ${largest.difference.toExponential(1)} (${largest.id})`);
    expect(largest.difference).toBeLessThan(1e-12);
  });
});

describe('cos and sin', () => {
  it('equal the golden rows to float32 rounding, up to position 131071', async () => {
    const entries = ((await golden('cos_sin')) as GoldenCosSin[]).filter(({ method }) => method in NAMES);
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
  const scale = (method: Method): number => effectiveScale(ropeTable(method, llama2, 0), llama2);

  it('is the factor for pi, ntk and yarn, and 93.06 for base 1e6 at rotary size 128', () => {
    expect(scale({ name: 'none' })).toBe(1);
    expect(scale({ name: 'pi', factor: 16 })).toBeCloseTo(16, 10);
    expect(scale({ name: 'ntk', factor: 16 })).toBeCloseTo(16, 10);
    expect(scale(methodSchema.parse({ name: 'yarn', factor: 16 }))).toBeCloseTo(16, 10);
    expect(scale({ name: 'ntk', base: 1e6 })).toBeCloseTo(93.06, 2);
  });
});
