/** The arm table in the terminal: reach with its n and interval, entropies of passing and failing cells at one length. */
import Table from 'cli-table3';
import { hasSeveralTasks, type ArmGrid } from '../aggregate.js';
import { ARM_COLUMNS, armSummary, type ArmColumn } from '../armSummary.js';
import { glyphsFor } from './glyphs.js';
import { painter, printable } from './paint.js';
import type { TerminalStyle } from './style.js';

const HEAD: Readonly<Record<ArmColumn, readonly [head: string, align: 'left' | 'right']>> = {
  method: ['method', 'left'],
  continuedAt: ['continued\nat', 'right'],
  effectiveScale: ['scale', 'right'],
  logitScale: ['logit\nscale', 'right'],
  reach: ['reach', 'right'],
  reachRecall: ['recall there\n[95 %]', 'left'],
  splitAt: ['split\nat', 'right'],
  entropyPassing: ['H pass\n(n)', 'left'],
  entropyFailing: ['H fail\n(n)', 'left'],
};

/** No lines but one under the head, so that nine columns fit into 80 characters. */
const chars = (rule: string) => ({
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '',
  bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', right: '', 'right-mid': '',
  mid: rule, 'mid-mid': '', middle: '',
});

/** Lines of the arm table; none without arms. */
export function armTableLines(grids: readonly ArmGrid[], style: TerminalStyle): string[] {
  if (grids.length === 0) return [];
  const paint = painter(style.color);
  const { atLeast } = glyphsFor(style.ascii);
  const hasTasks = hasSeveralTasks(grids);
  const hasModels = new Set(grids.map(({ arm }) => arm.model)).size > 1;
  const table = new Table({
    head: [...(hasTasks ? ['task'] : []), ...(hasModels ? ['model'] : []), ...ARM_COLUMNS.map((column) => HEAD[column][0])],
    colAligns: [...(hasTasks ? (['right'] as const) : []), ...(hasModels ? (['left'] as const) : []), ...ARM_COLUMNS.map((column) => HEAD[column][1])],
    chars: chars(style.ascii ? '-' : '─'),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 1 },
  });
  for (const grid of grids) {
    const summary = armSummary(grid, atLeast);
    table.push([...(hasTasks ? [String(grid.task)] : []), ...(hasModels ? [printable(grid.arm.model)] : []), ...ARM_COLUMNS.map((column) => printable(summary[column]))]);
  }
  const lines = table.toString().split('\n').map((line) => line.trimEnd());
  const rule = lines.findIndex((line) => /^[-─]+$/.test(line));
  return lines
    .filter((line, at) => at <= rule || !/^[-─]+$/.test(line))
    .map((line, at) => (at < rule ? paint.bold(line) : line));
}
