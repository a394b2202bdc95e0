/** Means of probes over layers, heads and rows; probes are [layers][heads][rows], flat. */

/** [rows] mean over layers and heads. */
export function byRow(values: ArrayLike<number>, rows: number): number[] {
  const pairs = values.length / rows;
  return Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let pair = 0; pair < pairs; pair += 1) sum += values[pair * rows + row] ?? 0;
    return sum / pairs;
  });
}

/** [layers][heads], flat: mean over rows. */
export function byHead(values: ArrayLike<number>, rows: number): number[] {
  return Array.from({ length: values.length / rows }, (_, pair) => {
    let sum = 0;
    for (let row = 0; row < rows; row += 1) sum += values[pair * rows + row] ?? 0;
    return sum / rows;
  });
}

export const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Float32, little-endian, base64. */
export function packFloats(values: readonly number[]): string {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => bytes.writeFloatLE(value, index * 4));
  return bytes.toString('base64');
}
