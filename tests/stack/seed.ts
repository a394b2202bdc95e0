/**
 * FIXTURES. Plans and results made up for tests of the store, the views and the dashboards: plausible in shape, measured
 * by nothing. No number here is a finding.
 */
import { createHash } from 'node:crypto';
import { engineVersion } from '../../domain/engine.js';
import { digest } from '../../domain/identity.js';
import { id, type ArmId, type CellKey, type ShardId, type SweepId, type TableDigest, type WeightsId } from '../../domain/ids.js';
import { HEAD_PROBES, type CellResult, type NeedleNumbers } from '../../domain/measurement.js';
import type { Method } from '../../domain/method.js';
import type { Plan, PlanClasses, PlannedArm, PlannedCell, PlannedShard } from '../../domain/plan.js';
import type { Place, Store } from '../../domain/ports.js';
import { methodLabel } from '../../rope/method.js';
import { sweepSpecSchema, type SweepSpec, type SweepSpecInput } from '../../domain/spec.js';
import type { CellState } from '../../domain/states.js';
import type { ResolvedNeedleTask } from '../../domain/task.js';

export interface FixtureGrid {
  readonly name: string;
  readonly methods?: readonly Method[];
  readonly continued?: readonly (number | null)[];
  readonly contextTokens: readonly number[];
  readonly depths: readonly number[];
  readonly seeds: readonly number[];
  readonly mixFingerprints?: SweepSpec['mixFingerprints'];
  readonly engineVersion?: string;
  /** What the plan says the store knows; planned where absent. */
  readonly known?: ReadonlyMap<CellKey, CellState>;
}

export const FIXTURE_PLACE: Place = {
  worker: 'fixture-worker',
  fingerprint: 'fixture CPU, onnxruntime 1.30.0, cpu, graph 1',
  engineVersion: engineVersion('cpu'),
  deviceClass: 'cpu',
};

/** What fixture plans run on. */
export const FIXTURE_CLASSES: PlanClasses = { deviceClass: 'cpu', largerDeviceClass: null, engineVersion: FIXTURE_PLACE.engineVersion };

const ORIGINAL_CONTEXT_TOKENS = 256;

const TASK: ResolvedNeedleTask = {
  kind: 'needle',
  haystack: { kind: 'markov', firstFillerId: 4, successors: [[1], [0]], jumpProbability: 0.1, rankScale: 2.5 },
  haystackDigest: digest('fixture haystack'),
  needle: {
    kind: 'symbols',
    needleMarkId: 1,
    questionMarkId: 2,
    keys: { first: 96, count: 32 },
    values: { first: 128, count: 128 },
    answerTokens: 4,
  },
  needleDigest: digest('fixture needle'),
  template: { headIds: [0] },
  templateDigest: digest('fixture template'),
  tokenizerDigest: digest('fixture tokenizer'),
  snap: 'token',
  criterion: 'exactMatch',
  generateTokens: 0,
  localTokens: 64,
  probes: 'heads',
};

export function fixtureSpec(grid: FixtureGrid): SweepSpec {
  const input: SweepSpecInput = {
    name: grid.name,
    model: { name: 'fixture', base: 'fixture-base' },
    methods: [...(grid.methods ?? [{ name: 'none' }])],
    continualPretrainContextTokens: [...(grid.continued ?? [null])],
    contextTokens: [...grid.contextTokens],
    canary: false,
    tasks: [
      {
        kind: 'needle',
        depths: [...grid.depths],
        seeds: [...grid.seeds],
        haystack: { kind: 'markov', file: 'fixture.json' },
        needle: { kind: 'symbols' },
      },
    ],
    ...(grid.mixFingerprints === undefined ? {} : { mixFingerprints: grid.mixFingerprints }),
  };
  return sweepSpecSchema.parse(input);
}

function fixtureArm(method: Method, continued: number | null): PlannedArm {
  const factor = 'factor' in method && method.factor !== undefined ? method.factor : 1;
  const weightsId = id<WeightsId>(digest(['fixture weights', continued === null ? 'base' : method.name, continued]));
  const table = { inverseFrequencies: [1, 0.1 / factor, 0.01 / factor], attentionFactor: 1 };
  return {
    id: id<ArmId>(digest([weightsId, JSON.stringify(method)])),
    label: `${method.name}${continued === null ? '' : `, continued at ${continued}`}`,
    model: 'fixture',
    checkpoint: { folder: `/fixture/${method.name}-${String(continued)}`, weightsId, weightFormat: 'f32', continualPretrainContextTokens: continued },
    method,
    methodLabel: methodLabel(method),
    originalContextTokens: ORIGINAL_CONTEXT_TOKENS,
    effectiveScale: factor,
    logitScale: 1,
    tables: { '*': { ...table, digest: id<TableDigest>(digest(table)) } },
  };
}

/** One shard for each arm and context length. Cells have the same keys in every sweep that has them. */
export function fixturePlan(grid: FixtureGrid): Plan {
  const arms = (grid.methods ?? [{ name: 'none' }]).flatMap((method) =>
    (grid.continued ?? [null]).map((continued) => fixtureArm(method, continued)),
  );
  const cells: PlannedCell[] = [];
  const shards: PlannedShard[] = [];
  for (const arm of arms) {
    for (const contextTokens of grid.contextTokens) {
      const group = grid.depths.flatMap((depth) =>
        grid.seeds.map((seed): PlannedCell => {
          const key = id<CellKey>(digest(['fixture cell', arm.id, contextTokens, depth, seed]));
          return { key, armId: arm.id, task: 0, taskKind: 'needle', contextTokens, axes: { depth, seed }, state: grid.known?.get(key) ?? 'planned' };
        }),
      );
      cells.push(...group);
      const open = group.filter((cell) => cell.state === 'planned').map((cell) => cell.key);
      if (open.length > 0) shards.push({ id: id<ShardId>(digest(open)), armId: arm.id, task: 0, deviceClass: FIXTURE_CLASSES.deviceClass, cellKeys: open, cost: fixtureCost(contextTokens, open.length) });
    }
  }
  const count = (...states: CellState[]) => cells.filter((cell) => states.includes(cell.state)).length;
  const version = grid.engineVersion ?? FIXTURE_PLACE.engineVersion;
  return {
    sweep: id<SweepId>(grid.name),
    digest: digest([cells.map((cell) => cell.key), version]),
    ...FIXTURE_CLASSES,
    engineVersion: version,
    dtype: 'f32',
    arms,
    tasks: [TASK],
    cells,
    shards,
    excluded: [],
    counts: {
      total: cells.length,
      new: count('planned'),
      cached: count('measured', 'diverged'),
      failed: count('failed'),
      infeasible: count('infeasible'),
      excluded: 0,
    },
    cost: fixtureCost(Math.max(...grid.contextTokens), count('planned')),
  };
}

const fixtureCost = (contextTokens: number, cells: number) => ({
  promptTokens: contextTokens * cells,
  distinctTokens: contextTokens * cells,
  flops: contextTokens ** 2 * cells,
  kvBytes: contextTokens * 64,
  peakBytes: contextTokens * 128,
  resultBytes: cells * 512,
});

/** A number in 0..1 that depends on the text alone. */
const draw = (...parts: readonly (string | number)[]): number =>
  createHash('sha256').update(parts.join('/')).digest().readUInt32LE() / 2 ** 32;

/** Passes up to twice the trained length, then less and less; entropy grows with ln n. */
export function fixtureNumbers(key: CellKey, contextTokens: number): NeedleNumbers {
  const exactMatch = draw(key, 'match') < (2 * ORIGINAL_CONTEXT_TOKENS) / contextTokens;
  const answerIds = [130, 141, 152, 163];
  const nll = answerIds.map((_, row) => (exactMatch ? 0.05 : 4) * (0.5 + draw(key, 'nll', row)));
  const entropyFirst = Math.log(contextTokens) * (0.4 + 0.1 * draw(key, 'entropy'));
  const heads = Float32Array.from({ length: HEAD_PROBES.length * 2 * 2 }, (_, index) => draw(key, 'head', index));
  return {
    exactMatch,
    tokenRecall: exactMatch ? 1 : 0.25,
    stringRecall: null,
    generatedText: null,
    answers: null,
    answerIds,
    top1Ids: exactMatch ? answerIds : [130, 7, 8, 9],
    // Every fifth failing cell stands for a device that keeps no KV: nothing generated.
    generatedIds: exactMatch ? answerIds : draw(key, 'kv') < 0.2 ? null : [130, 7, 7, 7],
    nll,
    sumNll: nll.reduce((sum, value) => sum + value, 0),
    tokenCount: 4,
    margins: answerIds.map((_, row) => (exactMatch ? 1 : -1) * draw(key, 'margin', row)),
    entropyFirst,
    entropy: !exactMatch && draw(key, 'kv') < 0.2 ? null : entropyFirst * 1.01,
    entropyTeacherForced: entropyFirst * 1.02,
    entropyOfMean: entropyFirst * 1.2,
    entropyNormalized: entropyFirst / Math.log(contextTokens),
    maxProbability: draw(key, 'max'),
    sinkMass: draw(key, 'sink'),
    sinkMass4: draw(key, 'sink'),
    localMass: draw(key, 'local'),
    localTokens: 64,
    needleMass: draw(key, 'needle') / 3,
    needleLift: (draw(key, 'needle') / 3) * (contextTokens / 6),
    retrievalScore: draw(key, 'retrieval') / 8,
    heads: Buffer.from(heads.buffer).toString('base64'),
    layers: 2,
    headCount: 2,
    needleStart: 1,
    needleTokens: 6,
    tokenDigest: digest(['fixture tokens', key]),
  };
}

export const fixtureResult = (key: CellKey, contextTokens: number): CellResult => ({
  key,
  state: 'measured',
  seconds: draw(key, 'seconds'),
  needle: fixtureNumbers(key, contextTokens),
});

/** Ids of the first shards that the store would start. */
export async function shardsToStart(store: Store, sweep: SweepId, limit: number, except: readonly ShardId[] = []): Promise<ShardId[]> {
  const { shards } = await store.nextShards(sweep, except);
  return shards.slice(0, limit).map(({ shard }) => shard);
}

/** Evaluates every open shard of a sweep with made-up numbers, as a worker would. */
export async function runFixture(store: Store, sweep: SweepId, place: Place = FIXTURE_PLACE): Promise<void> {
  for (;;) {
    const shards = await shardsToStart(store, sweep, 50, []);
    if (shards.length === 0) break;
    for (const shard of shards) {
      const leased = await store.lease(shard, place);
      if (leased === null) continue;
      await store.record(leased.lease, place, leased.job.cells.map((cell) => fixtureResult(cell.key, cell.contextTokens)));
      await store.finishShard(leased.lease, { promptTokens: 10, distinctTokens: 8, computedTokens: 9, completionTokens: 2, loadSeconds: 0.1, runSeconds: 0.5 }, null);
    }
  }
  await store.finishSweep(sweep, null);
}
