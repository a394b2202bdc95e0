import { describe, expect, it } from 'vitest';
import { axisValues, placeInAxis, rangeProblem, type Range } from '../../domain/axis.js';

const WHOLE = { whole: true, least: 1, most: Infinity };
const FRACTION = { whole: false, least: 0, most: 1 };
const problem = (range: Range, rules = WHOLE): string => rangeProblem(range, rules)?.what ?? '';

describe('an axis', () => {
  it('mixes values and ranges, in their order', () => {
    expect(axisValues([128, { from: 256, to: 4096, factor: 2 }, 5000])).toEqual([128, 256, 512, 1024, 2048, 4096, 5000]);
    expect(axisValues<number | null>([null, { from: 256, to: 1024, factor: 4 }])).toEqual([null, 256, 1024]);
    expect(axisValues({ from: 1, to: 5 })).toEqual([1, 2, 3, 4, 5]);
    expect(axisValues({ from: 128, to: 1024, count: 8 })).toEqual([128, 256, 384, 512, 640, 768, 896, 1024]);
  });

  it('has the numbers that one would have written, not sums of doubles', () => {
    expect(axisValues({ from: 0, to: 1, count: 11 })).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
    expect(axisValues({ from: 0.1, to: 0.7, step: 0.1 })).toEqual([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]);
    expect(axisValues({ from: 1e-7, to: 5e-7, step: 1e-7 })).toEqual([1e-7, 2e-7, 3e-7, 4e-7, 5e-7]);
    expect(axisValues({ from: 0, to: 1, count: 4 })).toEqual([0, 1 / 3, 2 / 3, 1]);
    expect(axisValues({ from: 128, to: 648, factor: 1.5 })).toEqual([128, 192, 288, 432, 648]);
    expect(axisValues({ from: 0.1, to: 0.8, factor: 2 })).toEqual([0.1, 0.2, 0.4, 0.8]);
  });

  it('is refused where a range does not reach its end, or has values that cannot be', () => {
    expect(rangeProblem({ from: 128, to: 1000, factor: 2 }, WHOLE)).toEqual({ what: 'it does not reach 1000: after 512 comes 1024', mend: 'Let to be 512 or 1024.' });
    expect(problem({ from: 1, to: 10, step: 2 })).toBe('it does not reach 10: after 9 comes 11');
    expect(problem({ from: 5, to: 1 })).toBe('it does not reach 1 from 5');
    expect(problem({ from: 100, to: 225, factor: 1.5 })).toBe('');
    expect(problem({ from: 100, to: 506.25, factor: 1.5 })).toBe('its value 337.5 is not a whole number');
    expect(problem({ from: 1, to: 2, count: 3 })).toBe('its value 1.5 is not a whole number');
    expect(problem({ from: 0, to: 1 }, FRACTION)).toBe('it does not say which values it has');
    expect(problem({ from: 0, to: 2, count: 3 }, FRACTION)).toBe('2 is too large');
    expect(problem({ from: 0, to: 4, factor: 2 }, { ...WHOLE, least: 0 })).toBe('factors lead nowhere from 0');
    expect(problem({ from: 1, to: 9, step: 2, count: 5 })).toBe('it has step and count');
  });

  it('is refused where a range has too many values, without going through them', () => {
    expect(problem({ from: 1, to: 1e15 })).toBe('it has 1000000000000000 values, more than 1000000');
    expect(problem({ from: 1, to: 1e9, factor: 1.0001 })).toMatch(/^it has \d+ values, more than 1000$/);
  });

  it('says where a value stands', () => {
    expect(placeInAxis([128, { from: 256, to: 1024, factor: 2 }], 512)).toEqual([1]);
    expect(placeInAxis({ from: 1, to: 5 }, 3)).toEqual([]);
    expect(placeInAxis([1, 2], 3)).toBeNull();
  });
});
