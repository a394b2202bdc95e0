/** What a cell of a heat map shows, the same in the terminal and in the figures. */
import type { GridCell } from './aggregate.js';

export const MARKS = {
  /** The number is `entropyFirst`: at least one cell has no `entropy`. */
  firstRow: '~',
  /** Some of the seeds have no numbers. */
  partial: '*',
} as const;

/** Where no seed has numbers. */
export const NO_NUMBERS = { diverged: 'div', failed: 'fail', infeasible: 'oom', planned: '·' } as const;

export interface CellFace {
  /** Mean entropy in nats with two decimals, or one of NO_NUMBERS; empty where the arm has no such cell. */
  readonly text: string;
  /** None, one or both of MARKS. */
  readonly marks: string;
  /** 0..1; null where no cell has an answer. */
  readonly recall: number | null;
}

export const entropyText = (nats: number): string => nats.toFixed(2);

const noNumbers = ({ states }: GridCell): string => {
  if (states.diverged > 0) return NO_NUMBERS.diverged;
  if (states.failed > 0) return NO_NUMBERS.failed;
  if (states.infeasible > 0) return NO_NUMBERS.infeasible;
  return NO_NUMBERS.planned;
};

export function cellFace(cell: GridCell | null): CellFace {
  if (cell === null) return { text: '', marks: '', recall: null };
  const { entropy, recall, states } = cell;
  if (entropy === null) return { text: noNumbers(cell), marks: '', recall };
  const isPartial = states.planned + states.diverged + states.failed + states.infeasible > 0;
  const marks = (entropy.source === 'entropyFirst' ? MARKS.firstRow : '') + (isPartial ? MARKS.partial : '');
  return { text: entropyText(entropy.mean), marks, recall };
}
