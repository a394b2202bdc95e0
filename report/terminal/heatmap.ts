/**
 * Needle-in-a-haystack heat maps in the terminal: x context length, y depth, background = recall, number = mean
 * attention entropy; several arms side by side, as many as fit. A map wider than the terminal goes on in a further
 * panel. Every panel of a row shares the depth axis at the left.
 *
 * A column is `border symbol number marks`, so that the line of the continual-pretrain length stands between columns.
 */
import type { ArmGrid, GridCell } from '../aggregate.js';
import { cellFace, NO_NUMBERS } from '../cellFace.js';
import { depthLabels } from '../labels.js';
import { lengthMarks, type LengthMark } from '../lengthMarks.js';
import { recallColour } from '../recallColours.js';
import { borderGlyph, glyphsFor, recallSymbol, type Glyphs } from './glyphs.js';
import { painter, printable, type Painter } from './paint.js';
import type { TerminalStyle } from './style.js';
import { wrapped } from './wrapped.js';

const GAP = '  ';

/** Widths in characters, the same for every panel. */
interface Measures {
  readonly number: number;
  readonly marks: number;
  /** Symbol, number and marks; at least the longest context length. */
  readonly inner: number;
}

/** Columns [from, to) of one arm's map. */
interface Panel {
  readonly grid: ArmGrid;
  readonly from: number;
  readonly to: number;
  readonly width: number;
  readonly title: readonly string[];
}

function measure(grids: readonly ArmGrid[]): Measures {
  let [number, marks] = [4, 0];
  for (const grid of grids) {
    for (const cell of grid.cells.flat()) {
      const face = cellFace(cell);
      number = Math.max(number, face.text.length);
      marks = Math.max(marks, face.marks.length);
    }
  }
  const label = Math.max(0, ...grids.flatMap(({ contexts }) => contexts.map((context) => String(context).length)));
  return { number, marks, inner: Math.max(1 + number + marks, label) };
}

/** Widest arm titles are broken at; a map with few columns gets this much room for its title. */
const TITLE_WIDTH = 26;

function panelsOf(grid: ArmGrid, measures: Measures, room: number, showTask: boolean): Panel[] {
  const column = measures.inner + 1;
  const fitting = Math.max(1, Math.floor((room - 1) / column));
  const count = Math.ceil(grid.contexts.length / fitting);
  const perPanel = Math.ceil(grid.contexts.length / count);
  return Array.from({ length: count }, (_, at) => {
    const from = at * perPanel;
    const to = Math.min(grid.contexts.length, from + perPanel);
    const label = printable(grid.arm.label) + (showTask ? `, task ${grid.task}` : '') + (count > 1 ? ` (${at + 1}/${count})` : '');
    const columns = (to - from) * column + 1;
    const width = Math.max(columns, Math.min(label.length + 1, TITLE_WIDTH, room));
    return { grid, from, to, width, title: wrapped(label, Math.max(1, width - 1)) };
  });
}

/** Draws one panel: its lines after the title, each `panel.width` wide. */
class PanelDrawing {
  private readonly marks: readonly LengthMark[];

  constructor(
    private readonly panel: Panel,
    private readonly measures: Measures,
    private readonly glyphs: Glyphs,
    private readonly paint: Painter,
  ) {
    this.marks = lengthMarks(panel.grid.arm, panel.grid.contexts).filter(
      ({ border }) => (border > panel.from || (border === 0 && panel.from === 0)) && border <= panel.to,
    );
  }

  /** Context lengths; at the borders the marks, as an arrow where the length lies outside the tested ones. */
  header(): string {
    const { contexts } = this.panel.grid;
    const labels = contexts.slice(this.panel.from, this.panel.to).map((context) => {
      const label = String(context);
      const { inner, marks } = this.measures;
      return label.length > inner - marks ? label.padStart(inner) : label.padStart(inner - marks).padEnd(inner);
    });
    const text = labels.map((label, at) => this.headerBorder(this.panel.from + at) + label).join('') + this.headerBorder(this.panel.to);
    return this.padded(text, text.length);
  }

  row(depthAt: number): string {
    const cells = this.panel.grid.cells[depthAt]?.slice(this.panel.from, this.panel.to) ?? [];
    const text = cells.map((cell, at) => this.cell(cell, this.panel.from + at)).join('');
    const edge = borderGlyph(this.marks, this.panel.to, this.glyphs) ?? ' ';
    return this.padded(text + edge, cells.length * (this.measures.inner + 1) + 1);
  }

  private headerBorder(border: number): string {
    const here = this.marks.filter((mark) => mark.border === border);
    const outside = here.find((mark) => mark.outside !== null)?.outside;
    if (outside !== undefined && outside !== null) return this.glyphs[outside];
    return borderGlyph(this.marks, border, this.glyphs) ?? ' ';
  }

  private cell(cell: GridCell | null, border: number): string {
    const line = borderGlyph(this.marks, border, this.glyphs) ?? ' ';
    const { text, marks, recall } = cellFace(cell);
    const symbol = recall === null ? ' ' : recallSymbol(recall, this.glyphs);
    const shown = text === NO_NUMBERS.planned ? this.glyphs.planned : text;
    const room = this.measures.inner - this.measures.marks - 1;
    const content = `${line}${symbol}${shown.padStart(room)}${marks.padEnd(this.measures.marks)}`;
    return recall === null ? this.paint.dim(content) : this.paint.on(recallColour(recall), content);
  }

  private padded(text: string, visible: number): string {
    return text + ' '.repeat(this.panel.width - visible);
  }
}

/** Panels in rows that fit into `room` characters. */
function rowsOf(panels: readonly Panel[], room: number): Panel[][] {
  const rows: Panel[][] = [];
  let used = 0;
  for (const panel of panels) {
    const row = rows.at(-1);
    if (row !== undefined && used + GAP.length + panel.width <= room) {
      row.push(panel);
      used += GAP.length + panel.width;
    } else {
      rows.push([panel]);
      used = panel.width;
    }
  }
  return rows;
}

/** The maps of one task; all its grids have the same contexts and depths. */
function taskHeatmaps(grids: readonly ArmGrid[], style: TerminalStyle, showTask: boolean): string[] {
  const depths = grids[0]?.depths ?? [];
  const labels = depthLabels(depths).map((label) => `${label}%`);
  const axis = Math.max(0, ...labels.map((label) => label.length));
  const measures = measure(grids);
  const glyphs = glyphsFor(style.ascii);
  const paint = painter(style.color);
  const room = Math.max(1, style.columns - axis);
  const panels = grids.flatMap((grid) => panelsOf(grid, measures, room, showTask));
  return rowsOf(panels, room).flatMap((row) => {
    const drawings = row.map((panel) => new PanelDrawing(panel, measures, glyphs, paint));
    const titleLines = Math.max(...row.map(({ title }) => title.length));
    const titles = Array.from({ length: titleLines }, (_, line) => {
      const texts = row.map(({ title, width }) => ` ${title[line - titleLines + title.length] ?? ''}`.padEnd(width));
      return ' '.repeat(axis) + paint.bold(texts.join(GAP).trimEnd());
    });
    const lines = [
      ' '.repeat(axis) + drawings.map((drawing) => drawing.header()).join(GAP),
      ...labels.map((label, at) => label.padStart(axis) + drawings.map((drawing) => drawing.row(at)).join(GAP)),
    ];
    return [...titles, ...lines.map((line) => line.trimEnd()), ''];
  });
}

/** Lines of every arm's heat map, task by task; each block ends with an empty line. */
export function heatmapLines(grids: readonly ArmGrid[], style: TerminalStyle): string[] {
  const tasks = [...new Set(grids.map(({ task }) => task))];
  return tasks.flatMap((task) => taskHeatmaps(grids.filter((grid) => grid.task === task), style, tasks.length > 1));
}
