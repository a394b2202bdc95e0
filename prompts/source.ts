/**
 * Prompts of a resolved task: what a slot asks for, cell by cell.
 */
import type { NeedleAxes } from '../domain/plan.js';
import type { ResolvedNeedleTask } from '../domain/task.js';
import { buildPrompt, type Prompt } from './build.js';
import { openHaystack } from './haystack.js';
import { drawNeedle } from './needle.js';
import type { NeedleParts } from './needleKind.js';
import type { HaystackStream } from './stream.js';

/** Builds the prompt of a cell; haystack and needle of a seed are drawn once and kept. */
export function promptSource(task: ResolvedNeedleTask): (contextTokens: number, axes: NeedleAxes) => Prompt {
  const drawn = new Map<number, { haystack: HaystackStream; needle: NeedleParts }>();
  return (contextTokens, { depth, seed }) => {
    const parts = drawn.get(seed) ?? { haystack: openHaystack(task.haystack, seed), needle: drawNeedle(task.needle, seed) };
    drawn.set(seed, parts);
    return buildPrompt({ ...parts, template: task.template, contextTokens, depth });
  };
}
