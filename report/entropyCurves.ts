/** Mean attention entropy by context length, of arms under a needle or an attention task; and of passing and failing cells. */
import type { ArmGrid } from './aggregate.js';
import type { AttentionTable } from './attentionRows.js';
import { groupBy } from '../domain/groupBy.js';

export interface EntropyCurve {
  readonly label: string;
  /** Ascending by length. */
  readonly points: readonly { readonly contextTokens: number; /** Nats. */ readonly entropy: number }[];
}

/** Mean over the depths that have numbers, each with its seeds; arms without any have none. */
export function needleEntropyCurves(grids: readonly ArmGrid[]): EntropyCurve[] {
  return grids.flatMap(({ arm, contexts, cells }) => {
    const points = contexts.flatMap((contextTokens, at) => {
      const entropies = cells.flatMap((row) => row[at]?.entropy ?? []);
      const n = entropies.reduce((sum, entropy) => sum + entropy.n, 0);
      return n === 0 ? [] : [{ contextTokens, entropy: entropies.reduce((sum, entropy) => sum + entropy.n * entropy.mean, 0) / n }];
    });
    return points.length === 0 ? [] : [{ label: arm.label, points }];
  });
}

export const attentionEntropyCurves = ({ rows }: AttentionTable): EntropyCurve[] =>
  [...groupBy(rows, ({ arm }) => arm.id).values()].flatMap((own) => {
    const points = own.flatMap(({ contextTokens, numbers }) => (numbers === null ? [] : [{ contextTokens, entropy: numbers.entropy }]));
    return points.length === 0 ? [] : [{ label: own[0]?.arm.label ?? '', points }];
  });
