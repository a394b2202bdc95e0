/** The heat maps of a report as HTML figures, each with its numbers as tables for those who cannot see it. */
import { wilsonInterval } from '../../domain/wilson.js';
import { hasSeveralTasks, type ArmGrid, type GridCell } from '../aggregate.js';
import { armSummary, entropyAndCount, NOTHING } from '../armSummary.js';
import { cellFace } from '../cellFace.js';
import { depthLabels, passedText, percentRange, plural, scaleText } from '../labels.js';
import { figureSvg } from './figure.js';
import { figureWidth } from './figureSpec.js';
import { html, table, type Markup } from './markup.js';
import { drawWithin } from './room.js';

const cellText = (cell: GridCell | null): string => {
  if (cell === null) return '';
  const { text, marks } = cellFace(cell);
  return cell.n === 0 ? text : `${text}${marks} (${passedText(cell)})`;
};

function cellTable(grid: ArmGrid): Markup {
  const depths = depthLabels(grid.depths);
  return table(
    'Mean entropy (passed / n) by depth and context length',
    [{ head: 'depth', numeric: true }, ...grid.contexts.map((context) => ({ head: String(context), numeric: true }))],
    grid.cells.map((row, at) => [`${depths[at] ?? ''} %`, ...row.map(cellText)]),
  );
}

function lengthTable({ recalls, entropySplits }: ArmGrid): Markup {
  return table(
    'Recall and entropy by context length, all depths and seeds',
    [
      { head: 'context', numeric: true },
      { head: 'passed / n', numeric: true },
      { head: 'recall, 95 % interval' },
      { head: 'H of passing (n)', numeric: true },
      { head: 'H of failing (n)', numeric: true },
    ],
    recalls.map(({ contextTokens, passed, n }) => {
      const split = entropySplits.find((candidate) => candidate.contextTokens === contextTokens);
      return [
        contextTokens,
        passedText({ passed, n }),
        n === 0 ? NOTHING : `${((100 * passed) / n).toFixed(0)} % (${percentRange(wilsonInterval(passed, n))})`,
        split === undefined ? NOTHING : entropyAndCount(split.passing),
        split === undefined ? NOTHING : entropyAndCount(split.failing),
      ];
    }),
  );
}

const reachText = (grid: ArmGrid): string => {
  const { reach, reachRecall } = armSummary(grid, '≥');
  return grid.reach === null ? 'reach -' : `reach ${reach} (${reachRecall})`;
};

async function figure(grid: ArmGrid, at: number, hasTasks: boolean): Promise<Markup> {
  const { arm } = grid;
  const title = hasTasks ? `${arm.label}, task ${grid.task}` : arm.label;
  const svg = await figureSvg(grid, `needle-${at}`, title);
  return html`<figure id="arm-${at}"><figcaption><h3>${title}</h3><p>${reachText(grid)} · scale ${scaleText(arm.effectiveScale)} · logits × ${scaleText(arm.logitScale)}</p></figcaption>
<div class="scroll">${svg}</div>
<details><summary>Numbers</summary>${cellTable(grid)}${lengthTable(grid)}</details></figure>
`;
}

/** Characters that the heat maps of a page may take: a hundred maps of the paper's 40 lengths and 10 depths would make 15 MB. */
const MAP_ROOM = 5.5e6;

export interface DrawnMaps {
  readonly maps: Markup;
  /** How many grids have one, the first ones. */
  readonly drawn: number;
}

/** The heat maps that fit, and how many do not. */
export async function figures(grids: readonly ArmGrid[]): Promise<DrawnMaps> {
  const hasTasks = hasSeveralTasks(grids);
  const { figures: drawn, left } = await drawWithin(grids, MAP_ROOM, (grid, at) => figure(grid, at, hasTasks));
  const width = Math.max(...grids.map(({ contexts }) => figureWidth(contexts.length))) + 32;
  const rest = left === 0 ? html`` : html`<p>Left out to keep the page small: ${plural(left, 'more heat map')}. The table above has every arm; ropesweep report --json has every cell of every map.</p>`;
  return { maps: html`<div class="figures" style="--figure: ${width}px">${drawn}</div>${rest}`, drawn: drawn.length };
}
