/** What colours, symbols and marks mean: only those that the maps show. */
import type { ArmGrid } from '../aggregate.js';
import { cellFace, MARKS, NO_NUMBERS } from '../cellFace.js';
import { lengthMarks } from '../lengthMarks.js';
import { recallColour } from '../recallColours.js';
import { glyphsFor } from './glyphs.js';
import { painter } from './paint.js';
import type { TerminalStyle } from './style.js';

const RECALLS = [
  { text: '0 %', recall: 0 },
  { text: '<33', recall: 0.2 },
  { text: '33-67', recall: 0.5 },
  { text: '>67', recall: 0.8 },
  { text: '100 %', recall: 1 },
] as const;

/** Entries joined into lines no wider than the terminal. */
function filled(entries: readonly { text: string; width: number }[], columns: number): string[] {
  const lines: { text: string; width: number }[] = [];
  for (const entry of entries) {
    const last = lines.at(-1);
    if (last !== undefined && last.width + 3 + entry.width <= columns) {
      lines[lines.length - 1] = { text: `${last.text}   ${entry.text}`, width: last.width + 3 + entry.width };
    } else lines.push(entry);
  }
  return lines.map(({ text }) => text);
}

export function legendLines(grids: readonly ArmGrid[], style: TerminalStyle): string[] {
  const glyphs = glyphsFor(style.ascii);
  const paint = painter(style.color);
  const faces = grids.flatMap((grid) => grid.cells.flat().map(cellFace));
  const shows = (test: (face: { text: string; marks: string }) => boolean): boolean => faces.some(test);
  const marks = grids.map(({ arm, contexts }) => lengthMarks(arm, contexts));
  const entry = (text: string) => ({ text, width: text.length });

  const swatches = RECALLS.map(({ text, recall }, at) => ` ${glyphs.recall[at] ?? ''} ${text} `.replace(/^ (.*) $/, (_, inner: string) => paint.on(recallColour(recall), ` ${inner} `)));
  const swatchWidth = RECALLS.reduce((sum, { text }) => sum + text.length + 4, 0);
  const originals = [...new Set(grids.map(({ arm }) => arm.originalContextTokens))].join(', ');
  return filled(
    [
      { text: `recall ${swatches.join('')}`, width: 'recall '.length + swatchWidth },
      entry('number: mean attention entropy, nats'),
      entry('across: context length, tokens; down: needle depth'),
      ...(marks.some((of) => of.length > 1) ? [entry(`${glyphs.continualPretrain} continual-pretrain length`)] : []),
      ...(marks.length > 0 ? [entry(`${glyphs.original} trained length of the base (L0 = ${originals})`)] : []),
      ...(marks.some(([a, b]) => b !== undefined && a?.border === b.border) ? [entry(`${glyphs.both} both lengths`)] : []),
      ...(marks.some((of) => of.some(({ outside }) => outside !== null))
        ? [entry(`${glyphs.below} ${glyphs.above} that length lies outside the tested ones`)]
        : []),
      ...(shows(({ marks: own }) => own.includes(MARKS.firstRow)) ? [entry(`${MARKS.firstRow} entropy of the first answer row only`)] : []),
      ...(shows(({ marks: own }) => own.includes(MARKS.partial)) ? [entry(`${MARKS.partial} some seeds have no numbers`)] : []),
      ...(shows(({ text }) => text === NO_NUMBERS.planned) ? [entry(`${glyphs.planned} not run yet`)] : []),
      ...(shows(({ text }) => text === NO_NUMBERS.failed) ? [entry('fail: quarantined')] : []),
      ...(shows(({ text }) => text === NO_NUMBERS.infeasible) ? [entry('oom: out of memory')] : []),
      ...(shows(({ text }) => text === NO_NUMBERS.diverged) ? [entry('div: output not finite, counts as not retrieved')] : []),
    ],
    style.columns,
  );
}
