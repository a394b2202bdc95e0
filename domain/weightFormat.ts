/** How weights are stored, in words: results say where they come from a quantised file. */

const BITS = /^q(\d)_[01]$/;

/**
 * @param format of a checkpoint's matrices: `f32`, `bf16`, `f16`, `q4_1`, ..., or `mixed`
 * @returns `bf16 weights`; `4-bit weights, dequantised`
 */
export function weightFormatLabel(format: string): string {
  const bits = BITS.exec(format)?.[1];
  return bits === undefined ? `${format} weights` : `${bits}-bit weights, dequantised`;
}

/** Whether numbers were lost when the weights were stored. */
export const isQuantised = (format: string): boolean => BITS.test(format);
