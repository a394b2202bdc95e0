/** Words and numbers as tables and axes print them. */
import type { ArmRow } from '../domain/rows.js';
import { weightFormatLabel } from '../domain/weightFormat.js';
import type { Interval } from '../domain/wilson.js';
import type { StateCounts } from './gathered.js';

/** One fraction as per cent: 12.5. */
export const depthPercent = (depth: number): string => String(Number((depth * 100).toFixed(4)));

/** Fractions as per cent, with as few decimals as keep them apart: 0, 33.3, 66.7, 100. */
export function depthLabels(depths: readonly number[]): string[] {
  const withDecimals = (decimals: number): string[] => depths.map((depth) => String(Number((depth * 100).toFixed(decimals))));
  for (let decimals = 0; decimals < 6; decimals += 1) {
    const labels = withDecimals(decimals);
    if (new Set(labels).size === depths.length) return labels;
  }
  return depths.map(depthPercent);
}

/** `3 measured, 2 failed`: states that some cell has; empty without cells. */
export const statesText = (states: StateCounts): string =>
  Object.entries(states).flatMap(([state, count]) => (count === 0 ? [] : [`${count} ${state}`])).join(', ');

/** `9/10`; of scores that are shares their sum with at most two decimals: `9.33/10`. */
export const passedText = ({ passed, n }: { readonly passed: number; readonly n: number }): string => `${Number(passed.toFixed(2))}/${n}`;

/** 0.7225, 1 -> `72-100 %` */
export const percentRange = ({ low, high }: Interval): string => `${(low * 100).toFixed(0)}-${(high * 100).toFixed(0)} %`;

/** At most four significant digits, without trailing zeros: 8, 93.06, 1.459. */
export const scaleText = (scale: number): string => String(Number(scale.toPrecision(4)));

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** `SmolLM2-135M-Instruct (4-bit weights, dequantised)`, each model and format once. */
export const modelTexts = (arms: readonly ArmRow[]): string[] =>
  [...new Set(arms.map(({ model, weightFormat }) => `${model} (${weightFormatLabel(weightFormat)})`))].sort();
