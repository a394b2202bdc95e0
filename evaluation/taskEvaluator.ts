/** What a kind of task has to bring to a slot; evaluation/shard.ts lists the kinds. */
import { messageOf, RopesweepError } from '../domain/errors.js';
import type { CellKey } from '../domain/ids.js';
import type { CellResult } from '../domain/measurement.js';
import type { JobCellOf } from '../domain/slot.js';
import type { TaskKind } from '../domain/task.js';
import type { SequenceDecoder } from './sequenceDecoder.js';

/** Tokens of the cells that were evaluated. */
export interface EvaluatedTokens {
  readonly promptTokens: number;
  /** Distinct prefix tokens among them. */
  readonly distinctTokens: number;
  /** Tokens fed while decoding greedily. */
  readonly completionTokens: number;
}

export interface TaskEvaluator<K extends TaskKind> {
  /** Room that a decoder needs beyond the longest context. */
  readonly extraTokens: number;
  /** Evaluates cells of one table, which the decoder has; a cell that cannot be evaluated is a result, with its reason. */
  evaluate(decoder: SequenceDecoder, cells: readonly JobCellOf<K>[], emit: (result: CellResult) => void): Promise<EvaluatedTokens>;
}

/** A cell that cannot be evaluated: the others of the shard go on. */
export function failure(key: CellKey, error: unknown): CellResult {
  const code = error instanceof RopesweepError ? error.code : 'CELL_FAILED';
  return { key, state: code === 'OUT_OF_MEMORY' ? 'infeasible' : 'failed', code, reason: messageOf(error) };
}
