import { describe, expect, it } from 'vitest';
import { distanceEdges } from '../../evaluation/attentionBins.js';
import { commonBins, jensenShannon, meanJensenShannon, withBins } from '../../domain/divergence.js';

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

describe('distributions of different lengths', () => {
  it('are compared on distances, whose bins are the same at every length, and on fractions, but not key by key', () => {
    expect([commonBins('fraction', 129, 129), commonBins('distance', 40, 48), commonBins('distance', 48, 40), commonBins('index', 128, 128), commonBins('index', 128, 256)]).toEqual([129, 48, 48, 128, null]);
    const [near, far] = [distanceEdges(100), distanceEdges(5000)];
    expect(far.slice(0, near.length)).toEqual(near);
  });

  it('have no mass on distances that they do not reach', () => {
    const short = Float32Array.of(0.25, 0.75, 1, 0);
    expect([...withBins(short, 2, 3)]).toEqual([0.25, 0.75, 0, 1, 0, 0]);
    expect(meanJensenShannon(withBins(short, 2, 3), Float32Array.of(0, 0, 1, 0, 0, 1), 3)).toBeCloseTo(Math.LN2, 7);
  });
});
