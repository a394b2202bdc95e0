/**
 * p values of m tests, adjusted so that all those at most alpha may be called significant together: the chance of a single false
 * one among them is at most alpha, however the tests depend on each other.
 *
 *     p_(1) <= ... <= p_(m),   adjusted p_(i) = max over j <= i of min(1, (m - j + 1) p_(j))
 *
 * Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979), 65-70.
 *
 * @param pValues 0..1 each
 * @returns in the same order
 */
export function holm(pValues: readonly number[]): number[] {
  const adjusted = new Array<number>(pValues.length).fill(1);
  const order = pValues.map((_, index) => index).sort((a, b) => (pValues[a] ?? 1) - (pValues[b] ?? 1));
  let largest = 0;
  for (const [before, index] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (pValues.length - before) * (pValues[index] ?? 1)));
    adjusted[index] = largest;
  }
  return adjusted;
}
