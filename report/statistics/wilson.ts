/**
 * The Wilson score interval of a proportion.
 *
 *     centre = (k + z^2 / 2) / (n + z^2)
 *     half   = z / (n + z^2) * sqrt(k (n - k) / n + z^2 / 4)
 *     interval = [centre - half, centre + half]
 *
 * k passes of n trials; z = 1.959964, the 97.5 % point of the standard normal, for 95 % coverage. No continuity
 * correction. Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
 * Journal of the American Statistical Association 22 (1927), 209-212; named "score interval" and recommended for small n
 * by Agresti and Coull (1998) and Newcombe (1998, method 3).
 */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** 97.5 % point of the standard normal distribution. */
const Z = 1.959964;

/**
 * 95 % interval of a proportion, inside [0, 1] and exactly 0 or 1 at the ends where no or every trial passed.
 *
 * @throws RangeError unless 0 <= passed <= n are integers and n >= 1.
 */
export function wilsonInterval(passed: number, n: number): Interval {
  if (!Number.isInteger(passed) || !Number.isInteger(n) || n < 1 || passed < 0 || passed > n) {
    throw new RangeError(`a proportion needs 0 <= passed <= n, n >= 1; got ${passed} of ${n}`);
  }
  const centre = (passed + Z ** 2 / 2) / (n + Z ** 2);
  const half = (Z / (n + Z ** 2)) * Math.sqrt((passed * (n - passed)) / n + Z ** 2 / 4);
  return { low: passed === 0 ? 0 : centre - half, high: passed === n ? 1 : centre + half };
}
