/** The arm table in the terminal: reach with its n and interval, entropies of passing and failing cells at one length. */
import Table from 'cli-table3';
import type { ArmGrid } from '../aggregate.js';
import { armSummary } from '../armSummary.js';
import { glyphsFor } from './glyphs.js';
import { painter, printable } from './paint.js';
import type { TerminalStyle } from './style.js';

const HEAD = [
  ['method', 'l'],
  ['continued\nat', 'r'],
  ['scale', 'r'],
  ['logit\nscale', 'r'],
  ['reach', 'r'],
  ['recall there\n[95 %]', 'l'],
  ['split\nat', 'r'],
  ['H pass\n(n)', 'l'],
  ['H fail\n(n)', 'l'],
] as const;

const ALIGN = { l: 'left', r: 'right' } as const;

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
  const hasTasks = new Set(grids.map(({ task }) => task)).size > 1;
  const table = new Table({
    head: [...(hasTasks ? ['task'] : []), ...HEAD.map(([name]) => name)],
    colAligns: [...(hasTasks ? (['right'] as const) : []), ...HEAD.map(([, align]) => ALIGN[align])],
    chars: chars(style.ascii ? '-' : '─'),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 1 },
  });
  for (const grid of grids) {
    const summary = armSummary(grid, atLeast);
    table.push([
      ...(hasTasks ? [String(grid.task)] : []),
      printable(summary.method),
      summary.continuedAt,
      summary.effectiveScale,
      summary.logitScale,
      summary.reach,
      summary.reachRecall,
      summary.splitAt,
      summary.entropyPassing,
      summary.entropyFailing,
    ]);
  }
  const lines = table.toString().split('\n').map((line) => line.trimEnd());
  const rule = lines.findIndex((line) => /^[-─]+$/.test(line));
  return lines
    .filter((line, at) => at <= rule || !/^[-─]+$/.test(line))
    .map((line, at) => (at < rule ? paint.bold(line) : line));
}
