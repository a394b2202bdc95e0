import { describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import { methodSchema, type MethodInput, type RopeGeometry } from '../../domain/method.js';
import { methodLabel, resolveMethod, ropeTable, tableDependsOnLength } from '../../rope/method.js';
import { nameTable } from '../../rope/tableDigest.js';

const geometry: RopeGeometry = { rotarySize: 32, base: 500, originalContextTokens: 128 };
const ones = Array<number>(16).fill(1);
const twos = Array<number>(16).fill(2);
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
  it.each(['pi', 'ntk', 'dynamic-ntk', 'yarn', 'llama3'] as const)('%s takes a target context in place of a factor, and becomes the same value', (name) => {
    const byFactor = resolve({ name, factor: 8 });
    expect(resolve({ name, targetContextTokens: 1024 })).toEqual(byFactor);
    expect(resolve({ name, factor: 8, targetContextTokens: 1024 })).toEqual(byFactor);
    expect(resolveMethod(byFactor, geometry)).toEqual(byFactor);
  });

  it.each(['pi', 'ntk', 'dynamic-ntk', 'yarn', 'llama3'] as const)('%s is refused where factor and target disagree, with both numbers', (name) => {
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
    [{ name: 'dynamic-ntk' }, /neither factor nor targetContextTokens/],
    [{ name: 'llama3' }, /neither factor nor targetContextTokens/],
    [{ name: 'llama3', factor: 8, lowFreqFactor: 4 }, /highFreqFactor 4 is not above lowFreqFactor 4/],
    [{ name: 'longrope', shortFactor: ones, longFactor: twos }, /neither factor nor targetContextTokens/],
    [{ name: 'longrope', shortFactor: ones, longFactor: twos, factor: 8, targetContextTokens: 2048 }, /factor 8 and targetContextTokens 2048 disagree/],
    [{ name: 'longrope', shortFactor: [1], longFactor: [1, 2], factor: 8 }, /shortFactor: it has 1 numbers; 32 rotating dimensions are 16 pairs\n.*longFactor: it has 2/],
    [{ name: 'custom' }, /there are no inverse frequencies/],
    [{ name: 'custom', inverseFrequencies: [1, 0.5] }, /it has 2 numbers; 32 rotating dimensions are 16 pairs/],
    [{ name: 'custom', file: 'table.json' }, /the table in table.json has not been read/],
    [{ name: 'custom', file: 'table.json', inverseFrequencies: ones }, /table.json and inverseFrequencies both name the table/],
  ] satisfies [MethodInput, RegExp][])('%j is refused', (method, message) => {
    const error = refusal(() => resolve(method));
    expect(error.code).toBe('METHOD_INVALID');
    expect(error.message).toMatch(message);
  });

  it('is refused on a geometry that cannot rotate', () => {
    expect(refusal(() => resolve({ name: 'none' }, { rotarySize: 31, base: 1, originalContextTokens: 0 })).problems).toHaveLength(3);
    for (const name of ['ntk', 'dynamic-ntk'] as const) {
      expect(refusal(() => ropeTable({ name, factor: 2 }, { ...geometry, rotarySize: 2 }, 0)).message).toMatch(/above 2/);
    }
  });

  it('is refused where its numbers leave what a double can hold', () => {
    expect(refusal(() => ropeTable({ name: 'ntk', factor: 1e300 }, geometry, 0)).message).toMatch(/ntk 1e\+300: pair 1 would turn by 0 radians/);
    expect(refusal(() => ropeTable({ name: 'custom', inverseFrequencies: [...ones.slice(1), 1e-320] }, geometry, 0)).message).toMatch(/pair 15 would turn/);
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
    [{ name: 'dynamic-ntk', targetContextTokens: 1024 }, 'dynamic-ntk 8'],
    [{ name: 'llama3', factor: 8 }, 'llama3 8'],
    [{ name: 'llama3', factor: 8, lowFreqFactor: 2, highFreqFactor: 8 }, 'llama3 8, low 2, high 8'],
    [{ name: 'custom', label: 'mine', inverseFrequencies: ones }, 'custom mine'],
  ] satisfies [MethodInput, string][])('%j is called %s', (method, label) => {
    expect(methodLabel(resolve(method))).toBe(label);
  });

  it('never shares its label with one of other lists or numbers', () => {
    const longrope = { name: 'longrope', factor: 8, shortFactor: ones } as const;
    const labels = [
      { ...longrope, longFactor: twos },
      { ...longrope, longFactor: ones },
      { ...longrope, longFactor: twos, attentionFactor: 1.05 },
      { name: 'longrope', shortFactor: ones, longFactor: twos, attentionFactor: 1.05 } as const,
      { name: 'custom', inverseFrequencies: ones } as const,
      { name: 'custom', inverseFrequencies: twos } as const,
      { name: 'custom', inverseFrequencies: twos, attentionFactor: 1.1 } as const,
    ].map((method) => methodLabel(resolve(method)));
    expect(new Set(labels).size).toBe(labels.length);
    expect(labels[0]).toMatch(/^longrope 8, lists [0-9a-f]{6}$/);
    expect(labels[3]).toMatch(/^longrope, lists [0-9a-f]{6}, attention factor 1.05$/);
    expect(labels[4]).toMatch(/^custom [0-9a-f]{6}$/);
  });

  it.each<[MethodInput, boolean]>([
    [{ name: 'none' }, false],
    [{ name: 'pi', factor: 8 }, false],
    [{ name: 'ntk', factor: 8 }, false],
    [{ name: 'dynamic-ntk', factor: 8 }, true],
    [{ name: 'yarn', factor: 8 }, false],
    [{ name: 'longrope', factor: 8, shortFactor: ones, longFactor: twos }, true],
    [{ name: 'llama3', factor: 8 }, false],
    [{ name: 'custom', inverseFrequencies: ones }, false],
  ])('%j: that its table depends on the length is %s', (method, depends) => {
    const parsed = methodSchema.parse(method);
    expect(tableDependsOnLength(parsed)).toBe(depends);
    const [short, long] = [128, 65_536].map((length) => nameTable(ropeTable(parsed, geometry, length)).digest);
    expect(short !== long).toBe(depends);
  });

  it('dynamic-ntk and a longrope of ones are plain RoPE up to and including the trained context', () => {
    const plain = ropeTable({ name: 'none' }, geometry, 0).inverseFrequencies;
    for (const method of [{ name: 'dynamic-ntk', factor: 2.7 }, { name: 'longrope', factor: 8, shortFactor: ones, longFactor: twos }] as const) {
      for (const length of [1, 127, 128]) expect(ropeTable(methodSchema.parse(method), geometry, length).inverseFrequencies).toEqual(plain);
      expect(ropeTable(methodSchema.parse(method), geometry, 129).inverseFrequencies).not.toEqual(plain);
    }
  });

  it('longrope needs no factor where the attention factor is given, and the given one wins', () => {
    const lists = { name: 'longrope', shortFactor: ones, longFactor: twos } as const;
    expect(ropeTable(methodSchema.parse({ ...lists, attentionFactor: 1.05 }), geometry, 0).attentionFactor).toBe(1.05);
    expect(ropeTable(methodSchema.parse({ ...lists, factor: 8, attentionFactor: 1.05 }), geometry, 0).attentionFactor).toBe(1.05);
    expect(ropeTable(methodSchema.parse({ ...lists, factor: 1 }), geometry, 0).attentionFactor).toBe(1);
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
