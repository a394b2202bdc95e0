import { describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import { methodSchema, type MethodInput, type RopeGeometry } from '../../domain/method.js';
import { methodLabel, resolveMethod, ropeTable, tableDependsOnLength } from '../../rope/method.js';
import { nameTable } from '../../rope/tableDigest.js';

const geometry: RopeGeometry = { rotarySize: 32, base: 500, originalContextTokens: 128 };
const resolve = (method: MethodInput, at = geometry) => resolveMethod(methodSchema.parse(method), at);
const refusal = (action: () => unknown): RopesweepError => {
  try {
    action();
  } catch (error) {
    if (error instanceof RopesweepError) return error;
    throw error;
  }
  throw new Error('it was not refused');
};

describe('a method', () => {
  it.each(['pi', 'ntk', 'yarn'] as const)('%s takes a target context in place of a factor, and becomes the same value', (name) => {
    const byFactor = resolve({ name, factor: 8 });
    expect(resolve({ name, targetContextTokens: 1024 })).toEqual(byFactor);
    expect(resolve({ name, factor: 8, targetContextTokens: 1024 })).toEqual(byFactor);
    expect(resolveMethod(byFactor, geometry)).toEqual(byFactor);
  });

  it.each(['pi', 'ntk', 'yarn'] as const)('%s is refused where factor and target disagree, with both numbers', (name) => {
    const error = refusal(() => resolve({ name, factor: 8, targetContextTokens: 2048 }));
    expect(error.code).toBe('METHOD_INVALID');
    expect(error.message).toMatch(/factor 8\b.*targetContextTokens 2048\b/);
    expect(refusal(() => resolve({ name, factor: 8, targetContextTokens: 1025 })).code).toBe('METHOD_INVALID');
  });

  it.each([
    [{ name: 'pi' }, /neither factor nor targetContextTokens/],
    [{ name: 'ntk' }, /neither factor nor targetContextTokens nor a new base/],
    [{ name: 'yarn' }, /neither factor nor targetContextTokens/],
    [{ name: 'pi', targetContextTokens: 64 }, /64 tokens is shorter than the trained context of 128/],
    [{ name: 'ntk', base: 1e6, factor: 8 }, /base 1000000 and factor 8 both name the new base/],
    [{ name: 'ntk', base: 1 }, /gives no falling frequencies/],
    [{ name: 'yarn', factor: 8, betaFast: 1, betaSlow: 32 }, /betaFast 1 is below betaSlow 32/],
  ] as const)('%j is refused', (method, message) => {
    const error = refusal(() => resolve(method));
    expect(error.code).toBe('METHOD_INVALID');
    expect(error.message).toMatch(message);
  });

  it('is refused on a geometry that cannot rotate', () => {
    expect(refusal(() => resolve({ name: 'none' }, { rotarySize: 31, base: 1, originalContextTokens: 0 })).problems).toHaveLength(3);
    expect(refusal(() => ropeTable({ name: 'ntk', factor: 2 }, { ...geometry, rotarySize: 2 }, 0)).message).toMatch(/above 2/);
  });

  it.each([
    [{ name: 'none' }, 'none'],
    [{ name: 'pi', factor: 8 }, 'pi 8'],
    [{ name: 'pi', targetContextTokens: 1024 }, 'pi 8'],
    [{ name: 'ntk', factor: 2.5 }, 'ntk 2.5'],
    [{ name: 'ntk', base: 1_000_000 }, 'ntk base 1000000'],
    [{ name: 'yarn', factor: 8 }, 'yarn 8'],
    [{ name: 'yarn', factor: 8, truncate: false }, 'yarn 8, not truncated'],
    [{ name: 'yarn', factor: 8, betaFast: 16, attentionFactor: 1 }, 'yarn 8, beta 16/1, attention factor 1'],
    [{ name: 'yarn', factor: 8, mscale: 0.7, mscaleAllDim: 1 }, 'yarn 8, mscale 0.7/1'],
  ] as const)('%j is called %s', (method, label) => {
    expect(methodLabel(resolve(method))).toBe(label);
  });

  it('gives a table that does not depend on the length, for all four', () => {
    for (const method of [{ name: 'none' }, { name: 'pi', factor: 8 }, { name: 'ntk', factor: 8 }, { name: 'yarn', factor: 8 }] as const) {
      const parsed = methodSchema.parse(method);
      expect(tableDependsOnLength(parsed)).toBe(false);
      expect(ropeTable(parsed, geometry, 128)).toEqual(ropeTable(parsed, geometry, 65_536));
    }
  });
});

describe('the digest of a table', () => {
  const table = ropeTable({ name: 'ntk', factor: 8 }, geometry, 0);

  it('does not see the last bits, which may differ between builds of Node', () => {
    const nudged = { ...table, inverseFrequencies: table.inverseFrequencies.map((frequency) => frequency * (1 + Number.EPSILON)) };
    expect(nameTable(nudged).digest).toBe(nameTable(table).digest);
  });

  it('sees the frequencies and the attention factor', () => {
    expect(nameTable(ropeTable({ name: 'ntk', factor: 8.000001 }, geometry, 0)).digest).not.toBe(nameTable(table).digest);
    expect(nameTable({ ...table, attentionFactor: 1.000001 }).digest).not.toBe(nameTable(table).digest);
  });

  it('is the same for two spellings of one table', () => {
    const base = 500 * 8 ** (32 / 30);
    expect(nameTable(ropeTable({ name: 'ntk', base }, geometry, 0)).digest).toBe(nameTable(table).digest);
  });
});
