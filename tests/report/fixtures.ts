/** Rows of made-up sweeps: deterministic, clearly invented numbers. */
import { digest } from '../../domain/identity.js';
import { id, type ArmId, type CellKey, type SweepId, type WeightsId } from '../../domain/ids.js';
import type { NeedleNumbers } from '../../domain/measurement.js';
import type { Method } from '../../domain/method.js';
import type { ArmRow, NeedleCellRow, SweepRows } from '../../domain/rows.js';
import { methodLabel } from '../../rope/method.js';

export interface FixtureArm {
  readonly method: Method;
  readonly continued: number | null;
  /** Cells up to this length pass; half of those at the next length do. */
  readonly passesUpTo: number;
}

export interface FixtureShape {
  readonly arms: readonly FixtureArm[];
  readonly contexts: readonly number[];
  readonly depths: readonly number[];
  readonly seeds: readonly number[];
  readonly original?: number;
  /** Last word on each cell. */
  readonly change?: (cell: NeedleCellRow) => NeedleCellRow;
}

export function needleNumbers(over: Partial<NeedleNumbers> = {}): NeedleNumbers {
  return {
    exactMatch: true,
    tokenRecall: 1,
    stringRecall: null,
    answers: null,
    generatedText: null,
    answerIds: [131, 200, 140, 255],
    top1Ids: [131, 200, 140, 255],
    generatedIds: [131, 200, 140, 255],
    nll: [0.1, 0.2, 0.30000000000000004, 1e-21],
    sumNll: 0.6000000000000001,
    tokenCount: 4,
    margins: [3.5, 2.25, 1 / 3, 5e-324],
    entropyFirst: 1.5,
    entropy: 1.25,
    entropyTeacherForced: 1.25,
    entropyOfMean: 1.75,
    entropyNormalized: 0.25,
    maxProbability: 0.5,
    sinkMass: 0.125,
    sinkMass4: 0.25,
    localMass: 0.3,
    localTokens: 64,
    needleMass: 0.4,
    needleLift: 12.5,
    retrievalScore: 0.5,
    heads: null,
    layers: 3,
    headCount: 3,
    needleStart: 17,
    needleTokens: 6,
    tokenDigest: digest('tokens'),
    ...over,
  };
}

const label = ({ method, continued }: FixtureArm): string =>
  `${methodLabel(method)}, ${continued === null ? 'not continued' : `continued at ${continued}`}`;

function armRow(arm: FixtureArm, ordinal: number, original: number): ArmRow {
  return {
    id: id<ArmId>(digest(['arm', ordinal])),
    ordinal,
    label: label(arm),
    model: 'fixture',
    method: arm.method,
    methodLabel: methodLabel(arm.method),
    weightsId: id<WeightsId>(digest(['weights', ordinal])),
    weightFormat: 'f32',
    originalContextTokens: original,
    continualPretrainContextTokens: arm.continued,
    training: null,
    effectiveScale: arm.method.name === 'none' ? 1 : 8,
    logitScale: arm.method.name === 'yarn' ? 1.4591 : 1,
  };
}

/** A number in 0..1 that depends on its arguments alone. */
const noise = (...parts: readonly (string | number)[]): number => parseInt(digest([...parts]).slice(0, 8), 16) / 0xffffffff;

function cellRow(arm: ArmRow, shape: FixtureShape, contextTokens: number, depth: number, seed: number): NeedleCellRow {
  const passesUpTo = shape.arms[arm.ordinal]?.passesUpTo ?? 0;
  const next = shape.contexts.find((context) => context > passesUpTo);
  const draw = noise(arm.id, contextTokens, depth, seed);
  const exactMatch = contextTokens <= passesUpTo || (contextTokens === next && draw < 0.5);
  const entropy = 0.18 * Math.log(contextTokens) * (exactMatch ? 1 : 1.7) + 0.3 * draw;
  const key = digest(['cell', arm.ordinal, contextTokens, depth, seed]);
  return {
    key: id<CellKey>(key),
    armId: arm.id,
    task: 0,
    taskKind: 'needle',
    contextTokens,
    depth,
    seed,
    state: 'measured',
    origin: 'grid',
    reason: null,
    needle: needleNumbers({ exactMatch, entropy, entropyFirst: entropy * 1.1, tokenDigest: digest(key) }),
    measured: { at: new Date(Date.UTC(2026, 10, 1)), seconds: 0.25, worker: 'host-a/1', fingerprint: 'fixture CPU/onnxruntime-1.30.0/cpu/graph-1' },
  };
}

export function sweepRows(shape: FixtureShape): SweepRows {
  const arms = shape.arms.map((arm, ordinal) => armRow(arm, ordinal, shape.original ?? 128));
  const cells = arms.flatMap((arm) =>
    shape.contexts.flatMap((context) => shape.depths.flatMap((depth) => shape.seeds.map((seed) => cellRow(arm, shape, context, depth, seed)))),
  );
  return {
    sweep: id<SweepId>('fixture'),
    revision: 1,
    state: 'done',
    createdAt: new Date(Date.UTC(2026, 10, 1, 12)),
    updatedAt: new Date(Date.UTC(2026, 10, 1, 13)),
    spec: { name: 'fixture', contextTokens: [...shape.contexts] },
    planDigest: digest('plan'),
    refinement: null,
    arms,
    tasks: [],
    cells: shape.change === undefined ? cells : cells.map(shape.change),
  };
}

export const NONE: Method = { name: 'none' };
export const PI: Method = { name: 'pi', factor: 8 };
export const NTK: Method = { name: 'ntk', factor: 8 };
export const YARN: Method = { name: 'yarn', factor: 8, betaFast: 32, betaSlow: 1, truncate: true };

/** The cell as it is before it ran. */
export const planned = (cell: NeedleCellRow): NeedleCellRow => ({ ...cell, state: 'planned', needle: null, measured: null });

const CONTEXTS = [64, 128, 256, 512, 1024, 2048];
const DEPTHS = [0, 0.25, 0.5, 0.75, 1];

/** The demo's shape: plain RoPE on the base, and three methods on the base and at two lengths. */
export const tenArms = (over: Partial<FixtureShape> = {}): SweepRows =>
  sweepRows({
    arms: [
      { method: NONE, continued: null, passesUpTo: 128 },
      ...[PI, NTK, YARN].flatMap((method, at) => [
        { method, continued: null, passesUpTo: 64 * at },
        { method, continued: 256, passesUpTo: 256 },
        { method, continued: 1024, passesUpTo: 1024 * (at === 2 ? 2 : 1) },
      ]),
    ],
    contexts: CONTEXTS,
    depths: DEPTHS,
    seeds: [1, 2],
    ...over,
  });

/** One arm: yarn continued at `continued`. */
export const oneArm = (over: Partial<FixtureShape> & { continued?: number | null } = {}): SweepRows =>
  sweepRows({
    arms: [{ method: YARN, continued: over.continued === undefined ? 512 : over.continued, passesUpTo: 512 }],
    contexts: CONTEXTS,
    depths: DEPTHS,
    seeds: [1, 2],
    ...over,
  });

/** The paper's axes: 40 lengths, 10 depths, on 100 arms. */
export const hugeSweep = (): SweepRows =>
  sweepRows({
    arms: Array.from({ length: 100 }, (_, at) => ({ method: { name: 'ntk', base: 10_000 * (at + 1) }, continued: 4096 * (1 + (at % 8)), passesUpTo: 4000 * (1 + (at % 8)) })),
    contexts: Array.from({ length: 40 }, (_, at) => Math.round(1000 + (at * 127_000) / 39)),
    depths: Array.from({ length: 10 }, (_, at) => at / 9),
    seeds: [1],
    original: 4096,
  });

/** One arm with every state, a seed missing here and there, and cells without `entropy`. */
export const everyState = (): SweepRows =>
  oneArm({
    contexts: [64, 128, 256, 512, 1024, 2048],
    change: (cell) => {
      if (cell.contextTokens === 2048) return { ...planned(cell), state: 'infeasible', reason: 'needs 3.1 GB, the class cpu has 2.0 GB' };
      if (cell.contextTokens === 1024 && cell.depth === 0) return { ...cell, state: 'diverged', needle: null };
      if (cell.contextTokens === 1024 && cell.depth === 0.5) return { ...planned(cell), state: 'failed', reason: '<b>slot died</b> with signal SIGKILL \u001b[2J' };
      if (cell.contextTokens === 1024 && cell.depth === 1) return planned(cell);
      if (cell.contextTokens === 512 && cell.depth === 0.25 && cell.seed === 2) return { ...planned(cell), state: 'failed', reason: 'slot died with signal SIGKILL' };
      if (cell.contextTokens === 256 && cell.depth >= 0.75 && cell.needle !== null) return { ...cell, needle: { ...cell.needle, entropy: null } };
      return cell;
    },
  });

/** Submitted, nothing measured. */
export const nothingMeasured = (): SweepRows => ({ ...oneArm({ change: planned }), state: 'running' });

/** A sweep whose grid excluded everything. */
export const noCells = (): SweepRows => ({ ...oneArm(), arms: [], cells: [] });
