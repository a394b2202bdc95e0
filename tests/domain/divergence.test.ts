import { describe, expect, it } from 'vitest';
import { jensenShannon, meanJensenShannon } from '../../domain/divergence.js';

describe('the Jensen-Shannon divergence', () => {
  it('is 0 of equal distributions and ln 2 of those that share no bin', () => {
    expect(jensenShannon([0.2, 0.3, 0.5], [0.2, 0.3, 0.5])).toBe(0);
    expect(jensenShannon([1, 0, 0], [0, 0.25, 0.75])).toBeCloseTo(Math.LN2, 15);
  });

  it('has the values of the definition, in nats and either way round', () => {
    // python3 -c "from math import log as l; print((.5*l(.5/.75)+.5*l(.5/.25)+l(1/.75))/2)"
    expect(jensenShannon([0.5, 0.5], [1, 0])).toBeCloseTo(0.21576155433883568, 15);
    // python3 -c "from math import log as l; print((.9*l(.9/.5)+.1*l(.1/.5)+.1*l(.1/.5)+.9*l(.9/.5))/2)"
    expect(jensenShannon([0.9, 0.1], [0.1, 0.9])).toBeCloseTo(0.3680642071684971, 15);
    expect(jensenShannon([0.7, 0.2, 0.1], [0.1, 0.1, 0.8])).toBeCloseTo(jensenShannon([0.1, 0.1, 0.8], [0.7, 0.2, 0.1]), 15);
  });

  it('keeps within 0 and ln 2 where float32 masses sum to a little more or less than 1', () => {
    expect(jensenShannon([1 + 3e-7, 0], [0, 1 + 3e-7])).toBe(Math.LN2);
    expect(jensenShannon([0.5 - 1e-7, 0.5], [0.5, 0.5 - 2e-7])).toBeGreaterThanOrEqual(0);
  });

  it('refuses what are no distributions, and bins that differ', () => {
    expect(() => jensenShannon([2, 0], [0, 2])).toThrow('outside of 0..ln 2');
    expect(() => jensenShannon([NaN, 1], [0, 1])).toThrow('bin 0 holds the masses NaN and 0');
    expect(() => jensenShannon([1.5, -0.5], [0, 1])).toThrow('bin 1 holds the masses -0.5 and 1');
    expect(() => jensenShannon([1], [0.5, 0.5])).toThrow('1 and 2 bins');
  });

  it('is averaged over heads one by one', () => {
    const [p, q] = [Float32Array.of(1, 0, 0.5, 0.5), Float32Array.of(0, 1, 0.5, 0.5)];
    expect(meanJensenShannon(p, q, 2)).toBeCloseTo(Math.LN2 / 2, 7);
    expect(() => meanJensenShannon(p, q.subarray(0, 2), 2)).toThrow('2 and 1 heads');
  });
});
