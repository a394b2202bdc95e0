/** The three findings of Zhong et al. (COLING 2025) on the rows of a sweep, and what limits them. Defined in docs/statistics.md. */
import { groupBy } from '../domain/groupBy.js';
import { isNeedleRow, type SweepRows } from '../domain/rows.js';
import { armGrids, type ArmGrid } from './aggregate.js';
import { attentionTables, type AttentionTable } from './attentionRows.js';
import { criterionOf } from './criterion.js';
import { caveats, type Caveat } from './statistics/caveats.js';
import { DRAWS, type Draws } from './statistics/draws.js';
import { entropyFailures, type EntropyFailure } from './statistics/entropyFailure.js';
import { patternReaches, type PatternReach } from './statistics/patternReach.js';
import { pretrainSteps, type PretrainStep } from './statistics/pretrainLength.js';

export interface Findings {
  /** 1: attention pattern against reach. */
  readonly patternReach: readonly PatternReach[];
  /** 2: entropy against failure; arms in the order of the spec, `entropyFirst` before `entropy`. */
  readonly entropyFailure: readonly EntropyFailure[];
  /** 3: continual-pretrain length against entropy and reach. */
  readonly pretrainLength: readonly PretrainStep[];
  readonly caveats: readonly Caveat[];
  readonly draws: Draws;
}

/** Of rows that were asked already: terminal and HTML report show the same. */
const known = new WeakMap<SweepRows, Findings>();

export function findings(rows: SweepRows, draws: Draws = DRAWS, grids: readonly ArmGrid[] = armGrids(rows), tables: readonly AttentionTable[] = attentionTables(rows)): Findings {
  const found = known.get(rows);
  if (found?.draws === draws) return found;
  const made = findingsOf(rows, draws, grids, tables);
  known.set(rows, made);
  return made;
}

function findingsOf(rows: SweepRows, draws: Draws, grids: readonly ArmGrid[], tables: readonly AttentionTable[]): Findings {
  const cells = groupBy(rows.cells.filter(isNeedleRow), ({ armId, task }) => `${armId} ${task}`);
  const arms = [...rows.arms].sort((a, b) => a.ordinal - b.ordinal);
  const inputs = [...new Set([...cells.values()].flatMap((own) => own[0]?.task ?? []))].sort((a, b) => a - b).flatMap((task) =>
    arms.flatMap((arm) => {
      const own = cells.get(`${arm.id} ${task}`);
      return own === undefined ? [] : [{ arm, task, criterion: criterionOf(rows, task), cells: own }];
    }),
  );
  return {
    patternReach: patternReaches(grids, tables),
    entropyFailure: entropyFailures(inputs, draws),
    pretrainLength: pretrainSteps(grids, ({ arm, task }) => cells.get(`${arm.id} ${task}`) ?? [], draws),
    caveats: caveats(rows),
    draws,
  };
}
