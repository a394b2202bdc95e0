/**
 * Which tokens of a set of sequences are computed: spans of positions, each computed once.
 *
 * Needle prompts of one seed and table form a tree whose shape follows from their layouts, without any token: a prompt
 * is its head, then the seed's haystack, interrupted by needles, then the question. Two prompts part where one goes on
 * with haystack and the other does not, or where they go on with different needles. Needles and questions open with
 * tokens that the haystack does not have there, and haystacks of two seeds are taken to part at once; where they begin
 * alike by chance, a few tokens fewer are computed.
 */
import type { PromptLayout } from '../prompts/layout.js';
import { groupBy } from '../domain/groupBy.js';

/** Positions [start, end), each computed once. */
export interface Segment {
  readonly start: number;
  readonly end: number;
}

/** A prompt of one seed. */
export interface SeedLayout {
  readonly seed: number;
  readonly layout: PromptLayout;
}

/** Distinct prefix tokens of the prompts of one table. */
export function prefixSegments(prompts: readonly SeedLayout[]): Segment[] {
  const [first] = prompts;
  if (first === undefined) return [];
  const head = first.layout.headTokens;
  const segments: Segment[] = [{ start: 0, end: head }];
  for (const ofSeed of groupBy(prompts, ({ seed }) => seed).values()) {
    // In the order of their symbols a prompt shares most with the one before it (evaluation/prefixOrder.ts).
    const sorted = ofSeed.map(({ layout }) => layout).sort((a, b) => compare(a, b).order);
    for (const [index, layout] of sorted.entries()) {
      const before = sorted[index - 1];
      segments.push({ start: before === undefined ? head : compare(before, layout).shared, end: layout.contextTokens });
    }
  }
  return segments;
}

/** Where two prompts of a seed part, and which comes first: one that goes on with haystack before any that does not. */
function compare(a: PromptLayout, b: PromptLayout): { readonly shared: number; readonly order: number } {
  let shared = a.headTokens;
  let filler = 0;
  for (let needle = 0; ; needle += 1) {
    const [ofA, ofB] = [a.needles[needle], b.needles[needle]];
    const [endA, endB] = [ofA?.before ?? a.fillerTokens, ofB?.before ?? b.fillerTokens];
    const reached = Math.min(endA, endB);
    shared += reached - filler;
    filler = reached;
    if (endA !== endB) return { shared, order: endB - endA };
    if (ofA?.index !== ofB?.index) return { shared, order: (ofA?.index ?? Infinity) < (ofB?.index ?? Infinity) ? -1 : 1 };
    // Both end their haystack here: the same question, so the prompts are equal.
    if (ofA === undefined) return { shared: a.contextTokens, order: 0 };
    shared += ofA.tokens;
  }
}

/**
 * Distinct prefix tokens of prompts of one seed that come little by little.
 *
 * In the order of their symbols a prompt between two others parts from each of them where it parts from the nearer one, so
 * it adds its tokens beyond that, and nothing of the others changes.
 */
export class GrowingPrefixes {
  private readonly sorted: PromptLayout[] = [];
  tokens = 0;

  add(layout: PromptLayout): void {
    let [from, to] = [0, this.sorted.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      const other = this.sorted[middle];
      if (other !== undefined && compare(other, layout).order <= 0) from = middle + 1;
      else to = middle;
    }
    const [before, after] = [this.sorted[from - 1], this.sorted[from]];
    const shared = Math.max(before === undefined ? 0 : compare(before, layout).shared, after === undefined ? 0 : compare(after, layout).shared);
    this.tokens += layout.contextTokens - shared;
    this.sorted.splice(from, 0, layout);
  }
}

/** Sequences that share nothing, or on a device that keeps nothing. */
export const wholeSegments = (lengths: readonly number[]): Segment[] => lengths.map((end) => ({ start: 0, end }));

export const tokensIn = (segments: readonly Segment[]): number => segments.reduce((sum, { start, end }) => sum + end - start, 0);

/** (query, key) pairs under causal attention: position p sees p + 1 keys, so a segment has (end(end+1) - start(start+1)) / 2. */
export const attendedPairs = (segments: readonly Segment[]): number =>
  segments.reduce((sum, { start, end }) => sum + (end * (end + 1) - start * (start + 1)) / 2, 0);
