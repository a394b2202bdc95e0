/**
 * Half precision, IEEE 754 binary16: sign, 5 bits of exponent (bias 15), 10 bits of fraction.
 *
 *   exponent 0: +-2^-14 (f / 1024);  1..30: +-2^(e - 15) (1 + f / 1024);  31: infinity, or not a number where f > 0
 */

/** The value of 16 bits; every one is exact in float32. */
export const halfValue = (bits: number): number => HALVES[bits] ?? NaN;

const decodeHalf = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? 2 ** -14 * fraction : 2 ** (exponent - 15) * (1 + fraction));
};

/** All 65,536 of them: weights are read by the hundred million. */
const HALVES = Float32Array.from({ length: 1 << 16 }, (_, bits) => decodeHalf(bits));
