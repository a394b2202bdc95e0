/** Paints text in the terminal: 24-bit colours, the nearest of the 256-colour palette, or none. */
import { BLACK, inkOn, type Rgb } from '../recallColours.js';
import type { ColorMode } from './style.js';

/** Levels of a channel in the 6 x 6 x 6 cube of the 256-colour palette. */
const CUBE_LEVELS: readonly number[] = [0, 95, 135, 175, 215, 255];

/** The palette's cube colour nearest to a colour: its number and what it really looks like. */
function nearestCubeColour(colour: Rgb): { index: number; colour: Rgb } {
  const nearest = (channel: number): number =>
    CUBE_LEVELS.reduce((best, level, at) => (Math.abs(level - channel) < Math.abs((CUBE_LEVELS[best] ?? 0) - channel) ? at : best), 0);
  const [red, green, blue] = [nearest(colour.red), nearest(colour.green), nearest(colour.blue)];
  const level = (at: number): number => CUBE_LEVELS[at] ?? 0;
  return { index: 16 + 36 * red + 6 * green + blue, colour: { red: level(red), green: level(green), blue: level(blue) } };
}

export interface Painter {
  /** `text` on a background, in black or white, whichever is readable there. */
  readonly on: (background: Rgb | null, text: string) => string;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
}

const plain = (text: string): string => text;

export function painter(color: ColorMode): Painter {
  if (color === 'none') return { on: (_background, text) => text, bold: plain, dim: plain };
  const sgr = (codes: string, text: string): string => (text === '' ? '' : `\u001b[${codes}m${text}\u001b[0m`);
  const truecolor = (background: Rgb): string => {
    const ink = inkOn(background);
    return `48;2;${background.red};${background.green};${background.blue};38;2;${ink.red};${ink.green};${ink.blue}`;
  };
  const palette = (background: Rgb): string => {
    const { index, colour } = nearestCubeColour(background);
    return `48;5;${index};38;5;${inkOn(colour) === BLACK ? 16 : 231}`;
  };
  const codes = color === 'truecolor' ? truecolor : palette;
  return {
    on: (background, text) => (background === null ? text : sgr(codes(background), text)),
    bold: (text) => sgr('1', text),
    dim: (text) => sgr('2', text),
  };
}

/** Text from elsewhere without control characters: a reason must not move the cursor. */
export const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
