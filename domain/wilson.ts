/**
 * The Wilson score interval of a proportion.
 *
 *     centre = (k + z^2 / 2) / (n + z^2)
 *     half   = z / (n + z^2) * sqrt(k (n - k) / n + z^2 / 4)
 *     interval = [centre - half, centre + half]
 *
 * k passes of n trials (k may be a sum of scores from 0 to 1: their variance is at most that of as many passes, so the interval
 * is rather too wide); z a point of the standard normal: 1.959964, the 97.5 % point, for 95 % coverage. No continuity
 * correction. Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
 * Journal of the American Statistical Association 22 (1927), 209-212; named "score interval" and recommended for small n
 * by Agresti and Coull (1998) and Newcombe (1998, method 3).
 */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** 97.5 % point of the standard normal distribution. */
const Z_95 = 1.959964;

/**
 * Interval of a proportion, 95 % unless another z is given, inside [0, 1] and exactly 0 or 1 at the ends where no or every
 * trial passed.
 *
 * @throws RangeError unless 0 <= passed <= n, n a whole number >= 1.
 */
export function wilsonInterval(passed: number, n: number, z = Z_95): Interval {
  if (!Number.isInteger(n) || n < 1 || !(passed >= 0 && passed <= n)) {
    throw new RangeError(`a proportion needs 0 <= passed <= n, n >= 1; got ${passed} of ${n}`);
  }
  const centre = (passed + z ** 2 / 2) / (n + z ** 2);
  const half = (z / (n + z ** 2)) * Math.sqrt((passed * (n - passed)) / n + z ** 2 / 4);
  return { low: passed === 0 ? 0 : centre - half, high: passed === n ? 1 : centre + half };
}
