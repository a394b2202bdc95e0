/** `ropesweep report --json`: the aggregates that heat maps and arm table show. Lengths in tokens, entropies in nats. */
import { perplexity, type LossSum } from '../domain/perplexity.js';
import type { ArmRow, SweepHead } from '../domain/rows.js';
import { armGrids, type ArmGrid } from './aggregate.js';
import { attentionTables, type AttentionRow } from './attentionRows.js';
import { findings, type Findings } from './findings.js';
import type { Gathered, StateCounts } from './gathered.js';
import { perplexityCharts, type PerplexityChart } from './perplexityCurves.js';

const cellJson = (cell: NonNullable<ArmGrid['cells'][number][number]>) => ({
  contextTokens: cell.contextTokens,
  depth: cell.depth,
  n: cell.n,
  passed: cell.passed,
  recall: cell.recall,
  entropy: cell.entropy,
  states: cell.states,
});

const armJson = (grid: ArmGrid) => ({
  arm: grid.arm.label,
  armId: grid.arm.id,
  task: grid.task,
  model: grid.arm.model,
  method: grid.arm.method,
  originalContextTokens: grid.arm.originalContextTokens,
  continualPretrainContextTokens: grid.arm.continualPretrainContextTokens,
  effectiveScale: grid.arm.effectiveScale,
  logitScale: grid.arm.logitScale,
  states: grid.states,
  reach: grid.reach,
  frontierTokens: grid.frontierTokens,
  /** The split that the arm table shows. */
  entropySplit: grid.shownSplit,
  entropySplits: grid.entropySplits,
  recalls: grid.recalls,
  /** Depth by depth, within one by context length; points that the arm has no cell for are absent. */
  cells: grid.cells.flat().flatMap((cell) => (cell === null ? [] : [cellJson(cell)])),
});

const lossJson = ({ sumNll, tokenCount, byteCount }: LossSum) => ({ sumNll, tokenCount, byteCount });

const chartJson = ({ task, view, names, curves }: PerplexityChart) => ({
  task,
  windows: view.windows,
  lastTokens: view.lastTokens,
  arms: curves.map(({ arm, points, buckets }) => ({
    arm: arm.label,
    armId: arm.id,
    points: points.map((point) => ({
      contextTokens: point.contextTokens,
      perplexity: point.perplexity,
      bitsPerByte: point.bitsPerByte,
      lastPerplexity: perplexity(point.last),
      ...lossJson(point.losses),
      missingDocuments: point.missing,
      documents: point.documents.map(({ document, losses }) => ({ document, name: names.get(document) ?? null, ...lossJson(losses) })),
    })),
    /** By tokens before the predicted one: from <= tokens < to. */
    buckets: buckets.map(({ from, to, losses }) => ({ from, to, ...lossJson(losses) })),
  })),
});

const attentionJson = (task: number, { arm, contextTokens, state, numbers, divergences }: AttentionRow) => ({
  task,
  arm: arm.label,
  armId: arm.id,
  contextTokens,
  state,
  entropy: numbers?.entropy ?? null,
  entropyNormalized: numbers?.entropyNormalized ?? null,
  sinkMass: numbers?.sinkMass ?? null,
  documents: numbers?.documents ?? null,
  rows: numbers?.rows ?? null,
  distributions: numbers?.distributions.map(({ axis, mean }) => ({ axis, mean })) ?? [],
  divergences,
});

/** An arm in a finding. */
const named = ({ label, id, continualPretrainContextTokens }: ArmRow) => ({ arm: label, armId: id, continualPretrainContextTokens });

/** The three findings, docs/statistics.md. */
const findingsJson = ({ patternReach, entropyFailure, pretrainLength, caveats, draws }: Findings) => ({
  draws,
  patternReach: patternReach.map((scatter) => ({ ...scatter, points: scatter.points.map(({ arm, ...point }) => ({ ...named(arm), ...point })) })),
  entropyFailure: entropyFailure.map(({ arm, ...failure }) => ({ ...named(arm), ...failure })),
  pretrainLength: pretrainLength.map((step) => ({
    ...step,
    shorter: step.shorter.map(({ arm, reach }) => ({ ...named(arm), training: arm.training, reach })),
    longer: step.longer.map(({ arm, reach }) => ({ ...named(arm), training: arm.training, reach })),
  })),
  caveats,
});

export interface ReportJson {
  readonly sweep: string;
  readonly revision: number;
  readonly state: SweepHead['state'];
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly planDigest: string;
  readonly cells: StateCounts;
  readonly arms: readonly ReturnType<typeof armJson>[];
  /** One a perplexity task; losses in nats. */
  readonly perplexity: readonly ReturnType<typeof chartJson>[];
  /** One a cell of an attention task; entropies and divergences in nats. */
  readonly attention: readonly ReturnType<typeof attentionJson>[];
  readonly findings: ReturnType<typeof findingsJson>;
  /** Frontiers, and what their search took (domain/refinement.ts); null for a sweep that refines nothing. */
  readonly refinement: SweepHead['refinement'];
  readonly outcomes: readonly { readonly state: string; readonly reason: string; readonly cells: number }[];
}

export const reportJson = (rows: Gathered): ReportJson => ({
  sweep: rows.sweep,
  revision: rows.revision,
  state: rows.state,
  createdAt: rows.createdAt.toISOString(),
  updatedAt: rows.updatedAt.toISOString(),
  planDigest: rows.planDigest,
  cells: rows.states,
  arms: armGrids(rows).map(armJson),
  perplexity: perplexityCharts(rows).map(chartJson),
  attention: attentionTables(rows).flatMap(({ task, rows: own }) => own.map((row) => attentionJson(task, row))),
  findings: findingsJson(findings(rows)),
  refinement: rows.refinement,
  outcomes: rows.outcomes.map(({ state, reason, cells }) => ({ state, reason, cells })),
});
