/** The three findings of Zhong et al. (COLING 2025) on the rows of a sweep, and what limits them. Defined in docs/statistics.md. */
import type { ArmRow } from '../domain/rows.js';
import { armGrids, type ArmGrid } from './aggregate.js';
import { attentionTables, type AttentionTable } from './attentionRows.js';
import type { Gathered } from './gathered.js';
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
const known = new WeakMap<Gathered, Findings>();

export function findings(rows: Gathered, draws: Draws = DRAWS, grids: readonly ArmGrid[] = armGrids(rows), tables: readonly AttentionTable[] = attentionTables(rows)): Findings {
  const found = known.get(rows);
  if (found?.draws === draws) return found;
  const made = findingsOf(rows, draws, grids, tables);
  known.set(rows, made);
  return made;
}

function findingsOf(rows: Gathered, draws: Draws, grids: readonly ArmGrid[], tables: readonly AttentionTable[]): Findings {
  const cellsOf = (arm: ArmRow, task: number) => rows.needles.find((own) => own.armId === arm.id && own.task === task);
  const arms = [...rows.arms].sort((a, b) => a.ordinal - b.ordinal);
  const inputs = [...new Set(rows.needles.map(({ task }) => task))].sort((a, b) => a - b).flatMap((task) =>
    arms.flatMap((arm) => {
      const cells = cellsOf(arm, task);
      return cells === undefined ? [] : [{ arm, task, cells }];
    }),
  );
  return {
    patternReach: patternReaches(grids, tables),
    entropyFailure: entropyFailures(inputs, draws),
    pretrainLength: pretrainSteps(grids, ({ arm, task }) => cellsOf(arm, task) ?? [], draws),
    caveats: caveats(rows),
    draws,
  };
}
