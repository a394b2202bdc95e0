import { describe, expect, it } from 'vitest';
import { brainBits, halfBits, halfValue } from '../../model/halfPrecision.js';

describe('half precision', () => {
  it('of every value that it has is that value, both signs and infinity included', () => {
    for (let bits = 0; bits <= 0x7c00; bits += 1) {
      expect(halfBits(halfValue(bits))).toBe(bits);
      expect(halfBits(halfValue(bits | 0x8000))).toBe(bits | 0x8000);
    }
  });

  it('takes the nearest value, and of two equally near the even one', () => {
    for (let bits = 0; bits < 0x7bff; bits += 1) {
      const middle = (halfValue(bits) + halfValue(bits + 1)) / 2;
      expect(halfBits(middle)).toBe(bits % 2 === 0 ? bits : bits + 1);
      expect(halfBits(middle * (1 + 2 ** -20))).toBe(bits + 1);
      expect(halfBits(middle * (1 - 2 ** -20))).toBe(bits);
    }
    expect([65_504, 65_519, 65_520, 1e6].map(halfBits)).toEqual([0x7bff, 0x7bff, 0x7c00, 0x7c00]);
  });

  it('as bfloat16 is the upper half of a float32, rounded to the nearest, ties to even', () => {
    // 1 is 0x3f80; the next bfloat16 is 1 + 2^-7.
    expect([1, 1 + 2 ** -7, 1 + 2 ** -8, 1 + 2 ** -8 + 2 ** -20, 1 + 3 * 2 ** -8, -1, 0].map(brainBits)).toEqual([0x3f80, 0x3f81, 0x3f80, 0x3f81, 0x3f82, 0xbf80, 0]);
  });
});
