/**
 * A heat map as a Vega-Lite specification: x one column per tested context length, y depth, colour = recall, number =
 * mean attention entropy, dashed line at the continual-pretrain length, dotted line at L0, on the border that
 * lengthMarks.ts gives. Text outside the cells has the colour of the page around it (currentColor).
 */
import type { TopLevelSpec } from 'vega-lite';
import type { ArmGrid } from '../aggregate.js';
import { cellFace } from '../cellFace.js';
import { depthLabels } from '../labels.js';
import { lengthMarks, type LengthMark } from '../lengthMarks.js';
import { groupBy } from '../../domain/groupBy.js';
import { hex, inkOn, RECALL_STOPS, recallColour } from '../recallColours.js';
import { FONT } from './svg.js';

/** Pixels of a cell; small where there are many columns. */
const SIZES = {
  wide: { column: 46, row: 25, font: 12, labelAngle: 0 },
  dense: { column: 32, row: 20, font: 9.5, labelAngle: -60 },
} as const;

const sizeFor = (columns: number) => (columns <= 16 ? SIZES.wide : SIZES.dense);

/** Columns whose width the legend and the words at lines take up. */
const FEWEST_COLUMNS = 5;

/** Pixels across, axis included: how wide a place in the page a map needs. */
export const figureWidth = (columns: number): number => sizeFor(columns).column * Math.max(FEWEST_COLUMNS, columns) + 60;

interface CellDatum {
  readonly context: string;
  readonly depth: string;
  readonly recall: number | null;
  readonly text: string;
  readonly ink: string;
}

function cellData(grid: ArmGrid): CellDatum[] {
  const depths = depthLabels(grid.depths);
  return grid.cells.flatMap((row, depthAt) =>
    row.flatMap((cell, contextAt) => {
      if (cell === null) return [];
      const { text, marks, recall } = cellFace(cell);
      const ink = recall === null ? 'currentColor' : hex(inkOn(recallColour(recall)));
      return [{ context: String(grid.contexts[contextAt]), depth: depths[depthAt] ?? '', recall, text: text + marks, ink }];
    }),
  );
}

const LABEL_HEIGHT = 13;

const LINES = {
  continualPretrain: { dash: [6, 4], width: 2.5, label: 'continued at', level: 1 },
  original: { dash: [1.5, 3], width: 2, label: 'L0', level: 0 },
} as const;

/** Words at the upper end of a line; an arrow where the length lies outside the tested ones. */
const markLabel = ({ kind, tokens, outside }: LengthMark): string => {
  const label = `${LINES[kind].label} ${tokens}`;
  return outside === 'above' ? `${label} →` : outside === 'below' ? `← ${label}` : label;
};

export function figureSpec(grid: ArmGrid): TopLevelSpec {
  const { contexts } = grid;
  const size = sizeFor(contexts.length);
  const columns = contexts.map(String);
  const rows = depthLabels(grid.depths);
  const cells = cellData(grid);
  const marks = lengthMarks(grid.arm, contexts);

  const x = { field: 'context', type: 'ordinal', scale: { type: 'band', domain: columns, padding: 0 } } as const;
  const y = { field: 'depth', type: 'ordinal', scale: { type: 'band', domain: rows, padding: 0 } } as const;
  const xAxis = { title: 'context length, tokens', labelAngle: size.labelAngle } as const;

  const line = (mark: LengthMark) => {
    const { dash, width, level } = LINES[mark.kind];
    const column = contexts[Math.max(0, mark.border - 1)];
    const data = { values: [{ context: String(column), label: markLabel(mark) }] };
    const at = { ...x, bandPosition: mark.border === 0 ? 0 : 1 } as const;
    const top = -6 - LABEL_HEIGHT * level;
    const isLeft = mark.border * 2 <= contexts.length;
    return [
      // A white halo under a black line: visible on every cell colour.
      { data, mark: { type: 'rule', stroke: '#ffffff', strokeWidth: width + 2, strokeOpacity: 0.85 }, encoding: { x: at } },
      { data, mark: { type: 'rule', stroke: '#000000', strokeWidth: width, strokeDash: [...dash] }, encoding: { x: at } },
      // From the border up to its words.
      { data, mark: { type: 'rule', stroke: 'currentColor', strokeWidth: 1 }, encoding: { x: at, y: { value: 0 }, y2: { value: top - 9 } } },
      {
        data,
        mark: { type: 'text', align: isLeft ? 'left' : 'right', dx: isLeft ? 4 : -4, baseline: 'bottom', fontSize: 11, fill: 'currentColor' },
        encoding: { x: at, y: { value: top + 2 }, text: { field: 'label' } },
      },
    ] as const;
  };

  return {
    background: 'transparent',
    // Room for both labels in every figure, so that maps side by side stand at one height.
    padding: { left: 4, right: 4, bottom: 4, top: marks.length > 1 ? 4 : 4 + LABEL_HEIGHT },
    width: size.column * contexts.length,
    height: size.row * grid.depths.length,
    layer: [
      {
        data: { values: cells.filter(({ recall }) => recall !== null) },
        mark: { type: 'rect', stroke: '#ffffff', strokeWidth: 0.5, strokeOpacity: 0.5 },
        encoding: {
          x: { ...x, axis: xAxis },
          y: { ...y, axis: { title: 'depth, %' } },
          color: {
            field: 'recall',
            type: 'quantitative',
            scale: {
              domain: RECALL_STOPS.map(({ recall }) => recall),
              range: RECALL_STOPS.map(({ colour }) => hex(colour)),
              interpolate: 'rgb',
            },
            legend: { title: 'recall, %', orient: 'bottom', direction: 'horizontal', gradientLength: 130, gradientThickness: 10, values: [0, 0.5, 1], labelExpr: 'datum.value * 100' },
          },
        },
      },
      {
        data: { values: cells.filter(({ recall }) => recall === null) },
        mark: { type: 'rect', fill: 'transparent', stroke: 'currentColor', strokeOpacity: 0.25 },
        encoding: { x, y },
      },
      // One layer an ink: a colour field here would fall under the scale of the recalls.
      ...[...groupBy(cells, ({ ink }) => ink)].map(([ink, values]) => ({
        data: { values },
        mark: { type: 'text', fontSize: size.font, fill: ink },
        encoding: { x, y, text: { field: 'text' } },
      })),
      ...marks.flatMap(line),
    ],
    config: {
      aria: false,
      // Nulls are sorted out above; Vega-Lite's own filter breaks where two layers have the same rows.
      mark: { invalid: 'show' },
      font: FONT,
      view: { stroke: null },
      axis: { labelColor: 'currentColor', titleColor: 'currentColor', titleFontWeight: 'normal', labelFontSize: 11, titleFontSize: 11, ticks: false, domain: false, grid: false, labelPadding: 5 },
      legend: { labelColor: 'currentColor', titleColor: 'currentColor', titleFontWeight: 'normal', titleOrient: 'left', labelFontSize: 11, titleFontSize: 11 },
    },
  } as TopLevelSpec;
}
