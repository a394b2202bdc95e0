/** Made-up needle cells in which an effect of entropy on failure was planted, or none: clearly invented numbers. */
import { randomStream, type RandomStream } from '../../domain/random.js';
import type { SweepRows } from '../../domain/rows.js';
import { needleNumbers, sweepRows, YARN, NTK } from './fixtures.js';

export interface Planted {
  /** Draws everything. */
  readonly draw: number;
  readonly seeds: number;
  /** How much higher, in standard deviations of the cells' noise, the entropy of a failing cell is. */
  readonly effect: number;
  /** Standard deviation of what all cells of a seed share: in their entropies, and apart from it in their outcomes. */
  readonly cluster: number;
  /** Nats by which entropy grows from each length to the next. */
  readonly growth?: number;
  readonly contexts?: readonly number[];
}

/** Standard normal (Box and Muller). */
const normal = (random: RandomStream): number => Math.sqrt(-2 * Math.log(1 - random.fraction())) * Math.cos(2 * Math.PI * random.fraction());

/** Two arms; the share that fails grows from 1/4 at the shortest length to 3/4 at the longest. */
export function planted({ draw, seeds, effect, cluster, growth = 0.5, contexts = [128, 256, 512] }: Planted): SweepRows {
  const random = randomStream('planted', draw);
  const shared = new Map<string, { readonly entropy: number; readonly outcome: number }>();
  return sweepRows({
    arms: [{ method: YARN, continued: null, passesUpTo: 0 }, { method: NTK, continued: null, passesUpTo: 0 }],
    contexts,
    depths: [0, 0.5, 1],
    seeds: Array.from({ length: seeds }, (_, index) => index + 1),
    change: (cell) => {
      const name = `${cell.armId} ${cell.seed}`;
      const own = shared.get(name) ?? { entropy: cluster * normal(random), outcome: cluster * normal(random) };
      shared.set(name, own);
      const step = contexts.indexOf(cell.contextTokens) / (contexts.length - 1);
      const failed = normal(random) + own.outcome > 0.67 * (1 - 2 * step);
      const entropy = 3 + growth * step * (contexts.length - 1) + own.entropy + normal(random) + (failed ? effect : 0);
      return { ...cell, needle: needleNumbers({ exactMatch: !failed, entropy, entropyFirst: entropy }) };
    },
  });
}
