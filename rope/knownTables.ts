/**
 * Inverse frequencies of LLaMA-2 (rotary size 128, base 10,000, trained context 4,096) as the papers' formulas give them,
 * to the digits that stand here: what a build of ropesweep must reproduce wherever it runs.
 */
import type { Method, RopeGeometry } from '../domain/method.js';
import { ropeTable } from './method.js';

export const LLAMA_2: RopeGeometry = { rotarySize: 128, base: 10_000, originalContextTokens: 4096 };

interface KnownTable {
  readonly method: Method;
  /** At {@link PAIRS}. */
  readonly inverseFrequencies: readonly number[];
  readonly attentionFactor: number;
}

const PAIRS = [0, 20, 21, 32, 45, 63];
const YARN = { name: 'yarn', factor: 16, betaFast: 32, betaSlow: 1 } as const;

const KNOWN_TABLES: readonly KnownTable[] = [
  { method: { name: 'none' }, inverseFrequencies: [1, 0.056234132, 0.048696753, 0.01, 0.0015399265, 1.154782e-4], attentionFactor: 1 },
  { method: { name: 'pi', factor: 16 }, inverseFrequencies: [0.0625, 0.0035146333, 0.003043547, 0.000625, 9.624541e-5, 7.2173875e-6], attentionFactor: 1 },
  { method: { name: 'ntk', base: 1e6 }, inverseFrequencies: [1, 0.013335214, 0.010746079, 0.001, 6.042964e-5, 1.2409378e-6], attentionFactor: 1 },
  { method: { ...YARN, truncate: true }, inverseFrequencies: [1, 0.056234132, 0.04694086, 0.005673077, 1.517716e-4, 7.2173875e-6], attentionFactor: 1.27726 },
  { method: { ...YARN, truncate: false }, inverseFrequencies: [1, 0.056234132, 0.048591506, 0.0056962143, 9.785687e-5, 7.2173875e-6], attentionFactor: 1.27726 },
];

/** The largest relative difference of the tables computed here from the known ones: what rounding to the digits above leaves. */
export function knownTablesDifference(): number {
  const relative = (ours: number, known: number): number => Math.abs(ours / known - 1);
  return Math.max(
    ...KNOWN_TABLES.flatMap(({ method, inverseFrequencies, attentionFactor }) => {
      const table = ropeTable(method, LLAMA_2, LLAMA_2.originalContextTokens);
      const pairs = PAIRS.map((pair, index) => relative(table.inverseFrequencies[pair] ?? NaN, inverseFrequencies[index] ?? NaN));
      return [...pairs, relative(table.attentionFactor, attentionFactor)];
    }),
  );
}

/** Half a unit of the last digit of the attention factor. */
export const KNOWN_TABLES_TOLERANCE = 5e-6;
