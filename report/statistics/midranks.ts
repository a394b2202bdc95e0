/**
 * Mid-ranks: 1 for the smallest; values that are equal share the mean of the ranks they take together.
 *
 *     R(i) = #{j : x_j < x_i} + (#{j : x_j = x_i} + 1) / 2
 *
 * Source: M. G. Kendall, "The treatment of ties in ranking problems", Biometrika 33 (1945), 239-251. Multiples of 1/2, so sums
 * of them are exact.
 */
export function midranks(values: ArrayLike<number>): Float64Array {
  const ranks = new Float64Array(values.length);
  const order = Array.from({ length: values.length }, (_, index) => index).sort((a, b) => (values[a] ?? NaN) - (values[b] ?? NaN));
  for (let from = 0; from < order.length; ) {
    const value = values[order[from] ?? -1];
    let to = from + 1;
    while (to < order.length && values[order[to] ?? -1] === value) to += 1;
    for (let at = from; at < to; at += 1) ranks[order[at] ?? -1] = (from + 1 + to) / 2;
    from = to;
  }
  return ranks;
}
