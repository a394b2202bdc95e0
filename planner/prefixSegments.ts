/**
 * Which tokens of a set of prompts are computed where KV is kept: the distinct prefix tokens, as spans of positions.
 *
 * Prompts of one seed and table form a tree whose shape follows from lengths and depths alone, without any token:
 *
 *     head                     once
 *     haystack[0 .. max k)     the trunk of a seed; k = haystack tokens before the needle
 *     needle, haystack[k ..)   a branch for each k, as long as its longest prompt
 *     question and answer      for each (k, filler)
 *
 * Needle and question open with ids that the haystack does not have, so branches part where they are said to part.
 * Haystacks of two seeds are taken to part at once; where they begin alike by chance, a few tokens fewer are computed.
 */
import type { NeedleAxes } from '../domain/plan.js';
import { fixedTokens, tokensBeforeNeedle, type PromptLayout } from '../prompts/build.js';
import { needleSizes } from '../prompts/needle.js';
import { groupBy } from '../domain/groupBy.js';

/** Positions [start, end), each computed once. */
export interface Segment {
  readonly start: number;
  readonly end: number;
}

export interface PromptPoint {
  readonly contextTokens: number;
  readonly axes: NeedleAxes;
}

/** Distinct prefix tokens of the prompts of one table. */
export function prefixSegments(layout: PromptLayout, points: readonly PromptPoint[]): Segment[] {
  if (points.length === 0) return [];
  const head = layout.template.headIds.length;
  const sizes = needleSizes(layout.needle);
  const fixed = fixedTokens(head, sizes);
  const segments: Segment[] = [{ start: 0, end: head }];
  for (const ofSeed of groupBy(points, ({ axes }) => axes.seed).values()) {
    /** k -> filler of the longest prompt that branches there. */
    const branches = new Map<number, number>();
    /** Filler -> where prompts of that length branch; equal places are equal prompts. */
    const prompts = new Map<number, Set<number>>();
    for (const [contextTokens, ofLength] of groupBy(ofSeed, (point) => point.contextTokens)) {
      const filler = contextTokens - fixed;
      const places = new Set(ofLength.map(({ axes }) => tokensBeforeNeedle(axes.depth, filler)));
      prompts.set(filler, places);
      for (const before of places) branches.set(before, Math.max(filler, branches.get(before) ?? 0));
    }
    segments.push({ start: head, end: head + Math.max(...branches.keys()) });
    for (const [before, filler] of branches) segments.push({ start: head + before, end: head + sizes.needleTokens + filler });
    for (const [filler, { size }] of prompts) {
      for (let prompt = 0; prompt < size; prompt += 1) segments.push({ start: head + sizes.needleTokens + filler, end: fixed + filler });
    }
  }
  return segments;
}

export const tokensIn = (segments: readonly Segment[]): number => segments.reduce((sum, { start, end }) => sum + end - start, 0);

/** (query, key) pairs under causal attention: position p sees p + 1 keys, so a segment has (end(end+1) - start(start+1)) / 2. */
export const attendedPairs = (segments: readonly Segment[]): number =>
  segments.reduce((sum, { start, end }) => sum + (end * (end + 1) - start * (start + 1)) / 2, 0);
