/**
 * Two sweeps, or arms of them, side by side: for each pair of arms reach, recall, entropy, perplexity and attention, paired by the
 * axes of the cells that both have measured (context length, depth, seed; context length, document). b - a throughout.
 *
 * Tasks of one kind are paired in their order. Cells that refinement chose by outcome are left out of differences.
 */
import { groupBy } from '../../domain/groupBy.js';
import { RopesweepError } from '../../domain/errors.js';
import type { ArmRow } from '../../domain/rows.js';
import type { ResolvedTask, TaskKind } from '../../domain/task.js';
import { armGrids, type ArmGrid } from '../aggregate.js';
import { attentionTables } from '../attentionRows.js';
import type { Gathered } from '../gathered.js';
import type { NeedleCell } from '../needleCells.js';
import { perplexityCharts } from '../perplexityCurves.js';
import type { EntropySource } from '../statistics/entropySplit.js';
import type { Reach } from '../statistics/reach.js';
import { pairedDifference, type Difference, type Pair } from './difference.js';
import { matchedArms } from './matched.js';
import type { Side } from './side.js';
import { specDifferences, type SpecDifference } from './specDifferences.js';

export interface NeedleComparison {
  /** Indices into the tasks of either side. */
  readonly tasks: readonly [a: number, b: number];
  /** Whether haystack, needle and template are the same: then a seed is the same prompt on both sides. */
  readonly samePrompts: boolean;
  readonly reach: { readonly a: Reach | null; readonly b: Reach | null };
  /** Cells that are one measurement, shared by both sides. */
  readonly sameMeasurements: number;
  /** Of the score under the criterion of each side, 0..1; null without a pair. */
  readonly recall: Difference | null;
  readonly source: EntropySource;
  /** Nats. */
  readonly entropy: Difference | null;
  readonly byLength: readonly { readonly contextTokens: number; readonly recall: Difference | null; readonly entropy: Difference | null }[];
}

export interface PerplexityComparison {
  readonly tasks: readonly [a: number, b: number];
  readonly contextTokens: number;
  /** Perplexities over the documents that both have. */
  readonly perplexity: { readonly a: number; readonly b: number };
  /** Of the mean loss in nats, weighted by token: ln(perplexity b / perplexity a). */
  readonly loss: Difference;
}

export interface AttentionComparison {
  readonly tasks: readonly [a: number, b: number];
  readonly contextTokens: number;
  /** Nats. */
  readonly entropy: { readonly a: number; readonly b: number };
  readonly sinkMass: { readonly a: number; readonly b: number };
}

export interface ArmComparison {
  readonly a: ArmRow;
  readonly b: ArmRow;
  readonly sameWeights: boolean;
  readonly sameMethod: boolean;
  readonly needle: readonly NeedleComparison[];
  readonly perplexity: readonly PerplexityComparison[];
  readonly attention: readonly AttentionComparison[];
}

export interface Comparison {
  readonly a: Gathered;
  readonly b: Gathered;
  readonly arms: readonly ArmComparison[];
  readonly onlyA: readonly ArmRow[];
  readonly onlyB: readonly ArmRow[];
  readonly spec: readonly SpecDifference[];
  /** Kinds of device and engine that measured the compared arms. */
  readonly fingerprints: { readonly a: readonly string[]; readonly b: readonly string[] };
}

/** @throws RopesweepError OPTION_INVALID where no arm of one side has a partner on the other */
export function compare(a: Side, b: Side): Comparison {
  const { pairs, onlyA, onlyB } = matchedArms(a, b);
  if (pairs.length === 0) {
    const named = ({ rows, arms }: Side): string => `${rows.sweep} has ${arms.length === 0 ? 'none' : arms.map(({ label }) => `"${label}"`).join(', ')}`;
    throw new RopesweepError('OPTION_INVALID', {
      where: `${a.rows.sweep} against ${b.rows.sweep}`,
      what: `no arms belong together by label or by method and continual-pretrain length: ${named(a)}; ${named(b)}`,
      mend: `Name one arm of each: ropesweep compare '${a.rows.sweep}:LABEL' '${b.rows.sweep}:LABEL'.`,
    });
  }
  const [left, right] = [looked(a), looked(b)];
  return {
    a: a.rows,
    b: b.rows,
    arms: pairs.map((pair) => ({
      ...pair,
      sameWeights: pair.a.weightsId === pair.b.weightsId,
      sameMethod: JSON.stringify(pair.a.method) === JSON.stringify(pair.b.method),
      needle: tasksOf(left, right, 'needle').flatMap((tasks) => needleComparison(left, right, pair, tasks)),
      perplexity: tasksOf(left, right, 'perplexity').flatMap((tasks) => perplexityComparisons(left, right, pair, tasks)),
      attention: tasksOf(left, right, 'attention').flatMap((tasks) => attentionComparisons(left, right, pair, tasks)),
    })),
    onlyA,
    onlyB,
    spec: specDifferences(a.rows.spec, b.rows.spec),
    fingerprints: { a: fingerprints(a, pairs.map((pair) => pair.a)), b: fingerprints(b, pairs.map((pair) => pair.b)) },
  };
}

/** What a side is asked for again and again, made once. */
interface Looked {
  readonly rows: Gathered;
  readonly grids: readonly ArmGrid[];
  readonly charts: ReturnType<typeof perplexityCharts>;
  readonly attention: ReturnType<typeof attentionTables>;
}

const looked = ({ rows }: Side): Looked => ({
  rows,
  grids: armGrids(rows),
  charts: perplexityCharts(rows),
  attention: attentionTables(rows),
});

const fingerprints = ({ rows }: Side, arms: readonly ArmRow[]): string[] => [...new Set(arms.flatMap(({ id }) => [...(rows.fingerprints.get(id) ?? [])]))].sort();

/** Tasks of a kind that cells have, the first of one side with the first of the other. */
function tasksOf(a: Looked, b: Looked, kind: TaskKind): (readonly [number, number])[] {
  const of = ({ rows }: Looked): number[] => [...new Set(rows.lengths.flatMap(({ taskKind, task }) => (taskKind === kind ? [task] : [])))].sort((one, other) => one - other);
  const right = of(b);
  return of(a).flatMap((task, at) => (right[at] === undefined ? [] : [[task, right[at]] as const]));
}

type Tasks = readonly [a: number, b: number];
type Arms = { readonly a: ArmRow; readonly b: ArmRow };

function needleComparison(left: Looked, right: Looked, arms: Arms, tasks: Tasks): NeedleComparison[] {
  const cells = ({ rows }: Looked, arm: ArmRow, task: number): NeedleCell[] =>
    [...(rows.needles.find((own) => own.armId === arm.id && own.task === task) ?? [])].filter(({ origin, needle }) => origin !== 'refine' && needle !== null);
  const [ours, theirs] = [cells(left, arms.a, tasks[0]), cells(right, arms.b, tasks[1])];
  if (ours.length === 0 && theirs.length === 0) return [];
  const axes = ({ contextTokens, depth, seed }: NeedleCell): string => `${contextTokens}/${depth}/${seed}`;
  const partner = new Map(theirs.map((cell) => [axes(cell), cell]));
  const pairs = ours.flatMap((cell) => {
    const other = partner.get(axes(cell));
    return other === undefined || cell.needle === null || other.needle === null ? [] : [{ cell, other, a: cell.needle, b: other.needle }];
  });
  const source: EntropySource = pairs.every(({ a, b }) => a.entropy !== null && b.entropy !== null) ? 'entropy' : 'entropyFirst';
  const recall = (of: typeof pairs): Pair[] => of.map(({ cell, a, b }) => ({ a: a.score, b: b.score, cluster: cell.seed }));
  const entropy = (of: typeof pairs): Pair[] => of.map(({ cell, a, b }) => ({ a: a[source] ?? a.entropyFirst, b: b[source] ?? b.entropyFirst, cluster: cell.seed }));
  const name = `${arms.a.id} ${arms.b.id} ${tasks.join(' ')}`;
  const reachOf = (side: Looked, arm: ArmRow, task: number): Reach | null => side.grids.find((grid) => grid.arm.id === arm.id && grid.task === task)?.reach ?? null;
  return [{
    tasks,
    samePrompts: samePrompts(left.rows.tasks[tasks[0]], right.rows.tasks[tasks[1]]),
    reach: { a: reachOf(left, arms.a, tasks[0]), b: reachOf(right, arms.b, tasks[1]) },
    sameMeasurements: pairs.filter(({ cell, other }) => cell.keyBits === other.keyBits).length,
    recall: pairedDifference(recall(pairs), `recall ${name}`),
    source,
    entropy: pairedDifference(entropy(pairs), `entropy ${name}`),
    byLength: [...groupBy(pairs, ({ cell }) => cell.contextTokens)]
      .sort(([one], [other]) => one - other)
      .map(([contextTokens, own]) => ({ contextTokens, recall: pairedDifference(recall(own), `recall ${name}`), entropy: pairedDifference(entropy(own), `entropy ${name}`) })),
  }];
}

function samePrompts(a: ResolvedTask | undefined, b: ResolvedTask | undefined): boolean {
  if (a?.kind !== 'needle' || b?.kind !== 'needle') return false;
  return a.haystackDigest === b.haystackDigest && a.needleDigest === b.needleDigest && a.templateDigest === b.templateDigest && a.tokenizerDigest === b.tokenizerDigest && a.snap === b.snap;
}

function perplexityComparisons(left: Looked, right: Looked, arms: Arms, tasks: Tasks): PerplexityComparison[] {
  const points = (side: Looked, arm: ArmRow, task: number) => side.charts.find((chart) => chart.task === task)?.curves.find((curve) => curve.arm.id === arm.id)?.points ?? [];
  const theirs = points(right, arms.b, tasks[1]);
  return points(left, arms.a, tasks[0]).flatMap(({ contextTokens, documents }) => {
    const others = new Map(theirs.find((point) => point.contextTokens === contextTokens)?.documents.map(({ document, losses }) => [document, losses]));
    const pairs = documents.flatMap(({ document, losses }): Pair[] => {
      const other = others.get(document);
      // Of equal tokens: documents are named by what they hold, so both sides count as many.
      return other === undefined || other.tokenCount !== losses.tokenCount ? [] : [{ a: losses.sumNll / losses.tokenCount, b: other.sumNll / other.tokenCount, cluster: document, weight: losses.tokenCount }];
    });
    const loss = pairedDifference(pairs, `loss ${arms.a.id} ${arms.b.id} ${tasks.join(' ')} ${contextTokens}`);
    return loss === null ? [] : [{ tasks, contextTokens, perplexity: { a: Math.exp(loss.a), b: Math.exp(loss.b) }, loss }];
  });
}

function attentionComparisons(left: Looked, right: Looked, arms: Arms, tasks: Tasks): AttentionComparison[] {
  const rows = (side: Looked, arm: ArmRow, task: number) => (side.attention.find((table) => table.task === task)?.rows ?? []).filter((row) => row.arm.id === arm.id);
  const theirs = rows(right, arms.b, tasks[1]);
  return rows(left, arms.a, tasks[0]).flatMap(({ contextTokens, numbers: a }) => {
    const b = theirs.find((row) => row.contextTokens === contextTokens)?.numbers;
    if (a === null || b == null) return [];
    return [{ tasks, contextTokens, entropy: { a: a.entropy, b: b.entropy }, sinkMass: { a: a.sinkMass, b: b.sinkMass } }];
  });
}
