/** Searches on made-up pass curves, every cell drawn by itself: how often they err and what they take. */
import { refineDesign, type RefineDesign, type RefinedSpec } from '../../planner/refineDesign.js';
import { searchFrontier, type CellOutcome, type FrontierSearch } from '../../planner/refineFrontier.js';
import { randomStream } from '../../domain/random.js';
import { needleTaskSchema } from '../../domain/taskSpec.js';

export const GRID = [512, 1024, 2048, 4096, 8192, 16384];

export function design(refine: Partial<RefinedSpec['refine']> = {}, task: { depths?: number[]; seeds?: number[]; grid?: readonly number[] } = {}): RefineDesign {
  const spec = needleTaskSchema.parse({
    kind: 'needle',
    depths: task.depths ?? [0, 0.25, 0.5, 0.75, 1],
    seeds: task.seeds ?? [1, 2],
    haystack: { kind: 'noise' },
    needle: { kind: 'passkey' },
    refine: { toleranceTokens: 64, ...refine },
  });
  return refineDesign(spec as RefinedSpec, task.grid ?? GRID);
}

/** Share of passes at a length. */
export type PassCurve = (contextTokens: number) => number;

/** Passes half of the time at `centre`; the share falls from 90 % to 10 % within 2 x 2.2 x `width` tokens. */
export const logistic = (centre: number, width: number): PassCurve => (length) => 1 / (1 + Math.exp((length - centre) / width));

/** Where the curve falls below the threshold. */
export const crossing = (centre: number, width: number, threshold: number): number => centre + width * Math.log(1 / threshold - 1);

/** Plays a whole search, each cell drawn by the curve: the same stream, the same outcomes. */
export function play(plan: RefineDesign, curve: PassCurve, stream: number, depths: readonly number[] = plan.depths): FrontierSearch & { readonly rounds: number } {
  const random = randomStream('refine simulation', stream);
  const known = new Map<string, CellOutcome>();
  for (let rounds = 1; ; rounds += 1) {
    const wanted: { text: string; contextTokens: number }[] = [];
    const search = searchFrontier(plan, depths, (point) => {
      const text = JSON.stringify(point);
      const found = known.get(text);
      if (found === undefined) wanted.push({ text, contextTokens: point.contextTokens });
      return found;
    });
    if (search.state !== 'searching') return { ...search, rounds };
    for (const { text, contextTokens } of wanted) known.set(text, random.fraction() < curve(contextTokens) ? 'passed' : 'failed');
  }
}
