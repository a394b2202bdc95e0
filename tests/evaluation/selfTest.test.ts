import { CPU } from '../../domain/device.js';
import { describe, expect, it } from 'vitest';
import { selfTest } from '../../evaluation/selfTest.js';
import { SELF_TEST_TOLERANCE } from '../../evaluation/selfTestTolerance.js';

describe('self-test of a device', () => {
  it('finds fused and reference attention equal within rounding, and not trivially so', async () => {
    const difference = await selfTest(1, CPU);
    console.log(`largest difference of fused and reference attention: ${difference.toExponential(2)}`);
    expect(difference).toBeLessThan(SELF_TEST_TOLERANCE);
    // Two ways of computing never agree to the last bit everywhere: zero would mean that one path was not taken.
    expect(difference).toBeGreaterThan(0);
  });
});
