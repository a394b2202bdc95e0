/** How many keys a row sees: all up to its own, or those of its layer's window. */
import type { ModelConfig } from '../model/config.js';

/** n of the row at a position. */
export const visibleKeys = ({ windows }: ModelConfig, layer: number, position: number): number => Math.min(position + 1, windows?.[layer] ?? Infinity);

/** Entropies [layers][heads][rows] over ln n, each between 0 and 1; of a row that sees one key 0. */
export function normalizedEntropies(config: ModelConfig, entropies: ArrayLike<number>, rows: number, firstPosition: number): number[] {
  return Array.from({ length: entropies.length }, (_, index) => {
    const layer = Math.floor(index / (config.heads * rows));
    const keys = visibleKeys(config, layer, firstPosition + (index % rows));
    return keys <= 1 ? 0 : (entropies[index] ?? 0) / Math.log(keys);
  });
}
