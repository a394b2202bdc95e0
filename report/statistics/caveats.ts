/**
 * What a reader has to know before quoting a number: each caveat is computed, and stands only where it applies.
 */
import { isNeedleRow, type ArmRow, type NeedleCellRow, type SweepRows } from '../../domain/rows.js';
import { isMeasured } from '../../domain/states.js';
import { isQuantised } from '../../domain/weightFormat.js';
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

export function caveats(rows: SweepRows): Caveat[] {
  const cells = rows.cells.filter(isNeedleRow);
  return [fewSeeds(cells), entropyBound(cells), temperature(rows.arms), teacherForced(cells), quantised(rows.arms), mixedFingerprints(rows), refined(cells), missing(rows)].flatMap((caveat) => caveat ?? []);
}

const labels = (arms: readonly ArmRow[]): string[] => arms.map(({ label }) => label);

function fewSeeds(cells: readonly NeedleCellRow[]): Caveat | null {
  const seeds = new Set(cells.filter(({ origin }) => origin === 'grid').map(({ seed }) => seed)).size;
  if (cells.length === 0 || seeds >= 2 * LEAST.seeds) return null;
  return { caveat: 'fewSeeds', arms: [], text: `Needle cells have ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}: with fewer than ${2 * LEAST.seeds}, intervals by seed are too narrow and one haystack more or less moves every number.` };
}

function entropyBound(cells: readonly NeedleCellRow[]): Caveat | null {
  const lengths = cells.filter(({ needle }) => needle !== null).map(({ contextTokens }) => contextTokens);
  const [shortest, longest] = lengths.reduce(([least, most], length) => [Math.min(least, length), Math.max(most, length)], [Infinity, 0]);
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

function teacherForced(cells: readonly NeedleCellRow[]): Caveat | null {
  const measured = cells.filter(({ needle }) => needle !== null);
  const without = measured.filter(({ needle }) => needle?.entropy === null);
  if (measured.length === 0) return null;
  const failing = measured.filter(({ needle }) => needle?.exactMatch === false).length;
  if (failing === 0) return null;
  const first = 'On a failing cell, losses, margins and all probes but the entropies are of teacher-forced rows: after the first wrong token these are conditioned on tokens the model did not produce.';
  const second = without.length === 0 ? '' : ` ${without.length} of ${measured.length} cells generated nothing, so they have the entropy of the first answer row alone (the same under any decoding).`;
  return { caveat: 'teacherForced', arms: [], text: first + second };
}

function quantised(arms: readonly ArmRow[]): Caveat | null {
  const lossy = arms.filter(({ weightFormat }) => isQuantised(weightFormat));
  return lossy.length === 0 ? null : { caveat: 'quantised', arms: labels(lossy), text: 'Their weights were quantised and dequantised: differences to checkpoints of full precision hold that error too.' };
}

function mixedFingerprints({ arms, cells }: SweepRows): Caveat | null {
  const seen = new Map<string, Set<string>>();
  for (const { armId, measured } of cells) if (measured !== null) seen.set(armId, (seen.get(armId) ?? new Set()).add(measured.fingerprint));
  const all = new Set([...seen.values()].flatMap((fingerprints) => [...fingerprints]));
  if (all.size < 2) return null;
  const mixed = arms.filter(({ id }) => (seen.get(id)?.size ?? 0) > 1);
  const what = `Cells were measured on ${all.size} kinds of device or engine, whose numbers may differ in their last digits`;
  return mixed.length === 0
    ? { caveat: 'mixedFingerprints', arms: [], text: `${what}; each arm has one.` }
    : { caveat: 'mixedFingerprints', arms: labels(mixed), text: `${what}; these arms have several.` };
}

function refined(cells: readonly NeedleCellRow[]): Caveat | null {
  const chosen = cells.filter(({ origin }) => origin === 'refine').length;
  return chosen === 0 ? null : { caveat: 'refined', arms: [], text: `${chosen} cells were chosen by refinement because of the outcomes of others; the findings leave them out.` };
}

function missing({ arms, cells }: SweepRows): Caveat | null {
  const open = cells.filter(({ state }) => !isMeasured(state));
  if (open.length === 0) return null;
  const without = new Set<string>(open.map(({ armId }) => armId));
  return { caveat: 'missing', arms: labels(arms.filter(({ id }) => without.has(id))), text: `${open.length} of ${cells.length} cells have no numbers; what is missing is seldom missing at random (long contexts run out of memory first).` };
}
