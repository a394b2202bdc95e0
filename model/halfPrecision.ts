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

/**
 * The 16 bits nearest to a value, ties to even; infinity beyond 65,504.
 * @param value not NaN
 */
export function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= LEAST_INFINITE) return sign | INFINITE_HALF;
  // Values of one exponent are multiples of a power of two, that of the smallest exponent below 2^-14.
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  const steps = roundToEven(magnitude * 2 ** (10 - exponent));
  // What rounds up to the next power of two carries into the exponent by itself.
  return sign | (magnitude === 0 ? 0 : steps + (exponent + 14) * 1024);
}

const INFINITE_HALF = 0x7c00;
/** Half way between the largest value and the power of two above it. */
const LEAST_INFINITE = 65_520;

/** The 16 upper bits of a float32, rounded to the nearest, ties to even: bfloat16. */
export function brainBits(value: number): number {
  FLOAT[0] = value;
  const bits = FLOAT_BITS[0] ?? 0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

const FLOAT = new Float32Array(1);
const FLOAT_BITS = new Uint32Array(FLOAT.buffer);

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** All 65,536 of them: weights are read by the hundred million. */
const HALVES = Float32Array.from({ length: 1 << 16 }, (_, bits) => decodeHalf(bits));
