/** Tables of one's own, out of a file. */
import { describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import type { MethodOf } from '../../rope/definition.js';
import { methodLabel, resolveMethod, ropeTable } from '../../rope/method.js';
import { withCustomTable } from '../../rope/customTable.js';

const geometry = { rotarySize: 4, base: 10_000, originalContextTokens: 128 };
const read = (text: string, method: Partial<MethodOf<'custom'>> = {}) => withCustomTable({ name: 'custom', file: 'tables/mine.json', ...method }, text);

describe('the table of a file', () => {
  it('takes the place of the file: numbers and a name remain', () => {
    const method = read('{"inverseFrequencies": [1, 0.01], "attentionFactor": 1.5, "note": "found by search"}');
    expect(method).toEqual({ name: 'custom', label: 'mine', inverseFrequencies: [1, 0.01], attentionFactor: 1.5 });
    expect(resolveMethod(method, geometry)).toEqual(method);
    expect(ropeTable(method, geometry, 0)).toEqual({ inverseFrequencies: [1, 0.01], attentionFactor: 1.5 });
    expect(methodLabel(method)).toBe('custom mine');
    expect(methodLabel(read('[1, 0.01]', { label: 'yours' }))).toBe('custom yours');
  });

  it('may be a bare list, with attention factor 1 or the one that stands beside it', () => {
    expect(read('[1, 0.01]').attentionFactor).toBe(1);
    expect(read('[1, 0.01]', { attentionFactor: 1.5 }).attentionFactor).toBe(1.5);
    expect(read('{"inverseFrequencies": [1, 0.01], "attentionFactor": 1.5}', { attentionFactor: 1.5 }).attentionFactor).toBe(1.5);
  });

  it.each<[string, Partial<MethodOf<'custom'>>, RegExp]>([
    ['{"inverseFrequencies": [1', {}, /tables\/mine.json: it is not JSON/],
    ['"text"', {}, /the whole file/],
    ['[]', {}, /inverseFrequencies/],
    ['[1, -0.5]', {}, /inverseFrequencies.1/],
    ['[1, null]', {}, /inverseFrequencies.1/],
    ['[1, 1e999]', {}, /inverseFrequencies.1/],
    ['{"inverseFrequencies": [1, 0.5]}', {}, /attentionFactor/],
    ['{"inverseFrequencies": [1, 0.5], "attentionfactor": 2}', {}, /attentionFactor/],
    ['{"inverseFrequencies": [1, 0.5], "attentionFactor": 2}', { attentionFactor: 3 }, /it has attention factor 2, and 3 is given beside it/],
    ['[1, 0.5]', { inverseFrequencies: [1, 0.5] }, /given beside the file/],
  ])('%s is refused', (text, method, message) => {
    const error: unknown = (() => {
      try {
        return read(text, method);
      } catch (reason) {
        return reason;
      }
    })();
    expect(error).toBeInstanceOf(RopesweepError);
    expect(error).toMatchObject({ code: 'METHOD_INVALID', message: expect.stringMatching(message) as string });
  });
});
