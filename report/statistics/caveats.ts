/**
 * What a reader has to know before quoting a number: each caveat is computed, and stands only where it applies.
 */
import type { ArmRow } from '../../domain/rows.js';
import { isQuantised } from '../../domain/weightFormat.js';
import { cellCount, type Gathered } from '../gathered.js';
import type { NeedleCells } from '../needleCells.js';
import { LEAST } from './draws.js';

export const CAVEATS = ['fewSeeds', 'entropyBound', 'temperature', 'teacherForced', 'quantised', 'mixedFingerprints', 'refined', 'missing'] as const;
export type CaveatName = (typeof CAVEATS)[number];

export interface Caveat {
  readonly caveat: CaveatName;
  /** A sentence or two. */
  readonly text: string;
  /** Labels of the arms it holds for; all of them where it is empty. */
  readonly arms: readonly string[];
}

export function caveats(rows: Gathered): Caveat[] {
  const cells = countsOf(rows.needles);
  return [fewSeeds(cells), entropyBound(cells), temperature(rows.arms), teacherForced(cells), quantised(rows.arms), mixedFingerprints(rows), refined(cells), missing(rows)].flatMap((caveat) => caveat ?? []);
}

/** Of all needle cells. */
interface NeedleCounts {
  readonly cells: number;
  readonly refined: number;
  readonly measured: number;
  /** Of the measured ones. */
  readonly failing: number;
  readonly notGenerated: number;
  readonly shortest: number;
  readonly longest: number;
  /** Of cells of the grid. */
  readonly seeds: number;
}

function countsOf(needles: readonly NeedleCells[]): NeedleCounts {
  const counts = { cells: 0, refined: 0, measured: 0, failing: 0, notGenerated: 0, shortest: Infinity, longest: 0 };
  const seeds = new Set<number>();
  for (const own of needles) {
    for (const { contextTokens, seed, origin, needle } of own) {
      counts.cells += 1;
      if (origin === 'grid') seeds.add(seed);
      if (origin === 'refine') counts.refined += 1;
      if (needle === null) continue;
      counts.measured += 1;
      if (!needle.exactMatch) counts.failing += 1;
      if (needle.entropy === null) counts.notGenerated += 1;
      counts.shortest = Math.min(counts.shortest, contextTokens);
      counts.longest = Math.max(counts.longest, contextTokens);
    }
  }
  return { ...counts, seeds: seeds.size };
}

const labels = (arms: readonly ArmRow[]): string[] => arms.map(({ label }) => label);

function fewSeeds({ cells, seeds }: NeedleCounts): Caveat | null {
  if (cells === 0 || seeds >= 2 * LEAST.seeds) return null;
  return { caveat: 'fewSeeds', arms: [], text: `Needle cells have ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}: with fewer than ${2 * LEAST.seeds}, intervals by seed are too narrow and one haystack more or less moves every number.` };
}

function entropyBound({ shortest, longest }: NeedleCounts): Caveat | null {
  if (shortest >= longest) return null;
  return {
    caveat: 'entropyBound',
    arms: [],
    text: `Entropy over n keys is at most ln n: ${Math.log(shortest).toFixed(2)} nats at ${shortest} tokens, ${Math.log(longest).toFixed(2)} at ${longest}. It grows with length by construction, so entropies of different lengths are not compared.`,
  };
}

function temperature(arms: readonly ArmRow[]): Caveat | null {
  const scaled = arms.filter(({ logitScale }) => Math.abs(logitScale - 1) > 1e-9);
  if (scaled.length === 0) return null;
  const scales = [...new Set(scaled.map(({ logitScale }) => Number(logitScale.toPrecision(4))))].sort((a, b) => a - b);
  return {
    caveat: 'temperature',
    arms: labels(scaled),
    text: `These methods multiply attention logits (by ${scales.join(', ')}), which lowers entropy by itself: part of a difference to other methods is temperature.`,
  };
}

function teacherForced({ measured, failing, notGenerated }: NeedleCounts): Caveat | null {
  if (failing === 0) return null;
  const first = 'On a failing cell, losses, margins and all probes but the entropies are of teacher-forced rows: after the first wrong token these are conditioned on tokens the model did not produce.';
  const second = notGenerated === 0 ? '' : ` ${notGenerated} of ${measured} cells generated nothing, so they have the entropy of the first answer row alone (the same under any decoding).`;
  return { caveat: 'teacherForced', arms: [], text: first + second };
}

function quantised(arms: readonly ArmRow[]): Caveat | null {
  const lossy = arms.filter(({ weightFormat }) => isQuantised(weightFormat));
  return lossy.length === 0 ? null : { caveat: 'quantised', arms: labels(lossy), text: 'Their weights were quantised and dequantised: differences to checkpoints of full precision hold that error too.' };
}

function mixedFingerprints({ arms, fingerprints }: Gathered): Caveat | null {
  const all = new Set([...fingerprints.values()].flatMap((own) => [...own]));
  if (all.size < 2) return null;
  const mixed = arms.filter(({ id }) => (fingerprints.get(id)?.size ?? 0) > 1);
  const what = `Cells were measured on ${all.size} kinds of device or engine, whose numbers may differ in their last digits`;
  return mixed.length === 0
    ? { caveat: 'mixedFingerprints', arms: [], text: `${what}; each arm has one.` }
    : { caveat: 'mixedFingerprints', arms: labels(mixed), text: `${what}; these arms have several.` };
}

function refined({ refined: chosen }: NeedleCounts): Caveat | null {
  return chosen === 0 ? null : { caveat: 'refined', arms: [], text: `${chosen} cells were chosen by refinement because of the outcomes of others; the findings leave them out.` };
}

function missing({ arms, states, unmeasured }: Gathered): Caveat | null {
  const open = states.planned + states.failed + states.infeasible;
  if (open === 0) return null;
  return { caveat: 'missing', arms: labels(arms.filter(({ id }) => unmeasured.has(id))), text: `${open} of ${cellCount(states)} cells have no numbers; what is missing is seldom missing at random (long contexts run out of memory first).` };
}
