/** Exports: one row per cell, in an order that does not depend on the run: arm, task, contextTokens, the task's axes, key. */
import { RopesweepError } from '../../domain/errors.js';
import type { ArmRow, CellRow, SweepRows } from '../../domain/rows.js';
import { COLUMNS } from './columns.js';
import { formatted, type ExportFormat } from './formatted.js';

export interface ExportOptions {
  readonly format: ExportFormat;
  /** Leaves out which run, when, where and why not, so that two runs can be compared byte for byte. */
  readonly resultsOnly: boolean;
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Cells of one task by its axes. */
function byAxes(a: CellRow, b: CellRow): number {
  if (a.taskKind === 'needle' && b.taskKind === 'needle') return a.depth - b.depth || a.seed - b.seed;
  return a.taskKind === 'perplexity' && b.taskKind === 'perplexity' ? byText(a.document, b.document) : 0;
}

/** Cells with their arms in the order of the export. */
function ordered(rows: SweepRows): { cell: CellRow; arm: ArmRow }[] {
  const arms = new Map(rows.arms.map((arm) => [arm.id, arm]));
  return rows.cells
    .map((cell) => {
      const arm = arms.get(cell.armId);
      if (arm === undefined) throw new RopesweepError('INTERNAL', { where: `cell ${cell.key}`, what: `its arm ${cell.armId} is not among the sweep's arms` });
      return { cell, arm };
    })
    .sort(
      (a, b) =>
        a.arm.ordinal - b.arm.ordinal ||
        byText(a.arm.id, b.arm.id) ||
        a.cell.task - b.cell.task ||
        a.cell.contextTokens - b.cell.contextTokens ||
        byAxes(a.cell, b.cell) ||
        byText(a.cell.key, b.cell.key),
    );
}

/** The text of an export in pieces, each a whole number of lines. */
export function exportRows(rows: SweepRows, { format, resultsOnly }: ExportOptions): Generator<string> {
  const columns = COLUMNS.filter(({ kind }) => !resultsOnly || kind === 'result');
  return formatted(format, columns.map(({ name }) => name), ordered(rows), ({ cell, arm }) => columns.map(({ value }) => value(cell, arm, rows)));
}
