/** One row of the arm table, as text: the same words in the terminal and in the HTML report. */
import type { ArmGrid } from './aggregate.js';
import { entropyText, MARKS } from './cellFace.js';
import { passedText, percentRange, scaleText } from './labels.js';
import type { EntropyMean } from './statistics/entropySplit.js';

export interface ArmSummary {
  readonly method: string;
  readonly continuedAt: string;
  readonly effectiveScale: string;
  readonly logitScale: string;
  /** Tokens; `>=` before it where no longer context was tested, `*` after it where cells up to the frontier lack numbers. */
  readonly reach: string;
  /** passed/n and the 95 % interval of the recall there. */
  readonly reachRecall: string;
  /** Context length of the two entropies. */
  readonly splitAt: string;
  readonly entropyPassing: string;
  readonly entropyFailing: string;
}

/** The columns of the arm table, in their order. */
export const ARM_COLUMNS = [
  'method',
  'continuedAt',
  'effectiveScale',
  'logitScale',
  'reach',
  'reachRecall',
  'splitAt',
  'entropyPassing',
  'entropyFailing',
] as const satisfies readonly (keyof ArmSummary)[];
export type ArmColumn = (typeof ARM_COLUMNS)[number];

/** Where there is nothing to show. */
export const NOTHING = '-';

/** `1.23~ (5)`: mean in nats, marked where it is `entropyFirst`, and the number of cells. */
export const entropyAndCount = ({ mean, n, source }: EntropyMean): string =>
  `${entropyText(mean)}${source === 'entropyFirst' ? MARKS.firstRow : ''} (${n})`;

export function armSummary(grid: ArmGrid, atLeast: string): ArmSummary {
  const { arm, reach, shownSplit } = grid;
  return {
    method: arm.methodLabel,
    continuedAt: arm.continualPretrainContextTokens === null ? NOTHING : String(arm.continualPretrainContextTokens),
    effectiveScale: scaleText(arm.effectiveScale),
    logitScale: scaleText(arm.logitScale),
    reach:
      reach === null
        ? NOTHING
        : `${reach.isLongestTested ? `${atLeast} ` : ''}${reach.contextTokens}${reach.isComplete ? '' : MARKS.partial}`,
    reachRecall: reach === null ? NOTHING : `${passedText(reach)} ${percentRange(reach.interval)}`,
    splitAt: shownSplit === null ? NOTHING : String(shownSplit.contextTokens),
    entropyPassing: shownSplit === null ? NOTHING : entropyAndCount(shownSplit.passing),
    entropyFailing: shownSplit === null ? NOTHING : entropyAndCount(shownSplit.failing),
  };
}
