/** FIXTURE. A sweep with a task of each kind, made-up numbers in every column, and cells that have none. */
import { digest } from '../../domain/identity.js';
import { id, type CellKey, type ShardId, type SweepId } from '../../domain/ids.js';
import type { AttentionNumbers, CellResult, PerplexityNumbers } from '../../domain/measurement.js';
import type { Method } from '../../domain/method.js';
import type { Plan, PlannedCell } from '../../domain/plan.js';
import type { Store } from '../../domain/ports.js';
import type { ResolvedTask } from '../../domain/task.js';
import { FIXTURE_PLACE, fixtureNumbers, fixturePlan, fixtureSpec, shardsToStart, type FixtureGrid } from './seed.js';

const LAYERS = 2;
const HEADS = 2;
const BINS = 129;

const DOCUMENT = {
  id: digest('a document'),
  name: 'a document',
  tokens: null,
  source: { kind: 'haystack', haystack: { kind: 'markov', firstFillerId: 4, successors: [[1], [0]], jumpProbability: 0.1, rankScale: 2.5 }, seed: 1 },
  headIds: [0],
  textDigest: null,
} as const;

const METHODS: readonly Method[] = [{ name: 'none' }, { name: 'pi', factor: 4 }];
const CONTEXTS = [256, 512];

const TASKS: readonly ResolvedTask[] = [
  { kind: 'perplexity', documents: [DOCUMENT], tokenizerDigest: digest('tokenizer'), windows: { kind: 'first' }, lastTokens: 64, buckets: null, contextTokens: CONTEXTS },
  {
    kind: 'attention',
    documents: [DOCUMENT],
    documentsDigest: digest(['documents']),
    tokenizerDigest: digest('tokenizer'),
    rows: 64,
    axes: ['fraction', 'distance'],
    references: [{ method: 'none', continualPretrainContextTokens: null, contextTokens: 256 }],
    probes: 'heads',
  },
];

const grid = (name: string): FixtureGrid => ({ name, methods: METHODS, contextTokens: CONTEXTS, depths: [0, 1 / 3, 1], seeds: [1, 2] });

/** Needle cells, one perplexity cell and two attention cells of each arm. */
function mixedPlan(name: string): Plan {
  const needle = fixturePlan(grid(name));
  const cost = { promptTokens: 512, distinctTokens: 512, flops: 1e9, kvBytes: 1, peakBytes: 1, resultBytes: 1 };
  const others = needle.arms.flatMap((arm): PlannedCell[] => {
    const key = (...parts: (string | number)[]) => id<CellKey>(digest(['mixed', arm.id, ...parts]));
    return [
      { key: key('perplexity'), armId: arm.id, task: 1, taskKind: 'perplexity', contextTokens: 512, axes: { document: DOCUMENT.id }, state: 'planned' },
      ...CONTEXTS.map((contextTokens): PlannedCell => ({ key: key('attention', contextTokens), armId: arm.id, task: 2, taskKind: 'attention', contextTokens, axes: {}, state: 'planned' })),
    ];
  });
  const shards = needle.arms.flatMap((arm) =>
    [1, 2].map((task) => {
      const cellKeys = others.filter((cell) => cell.task === task && cell.armId === arm.id).map(({ key }) => key);
      return { id: id<ShardId>(digest(cellKeys)), armId: arm.id, task, deviceClass: needle.deviceClass, cellKeys, cost };
    }),
  );
  const cells = [...needle.cells, ...others];
  return { ...needle, digest: digest([needle.digest, name]), tasks: [...needle.tasks, ...TASKS], cells, shards: [...needle.shards, ...shards], counts: { ...needle.counts, total: cells.length, new: cells.length } };
}

/** A number in 0..1 that depends on its arguments alone. */
const draw = (...parts: readonly (string | number)[]): number => Number.parseInt(digest([...parts]).slice(0, 12), 16) / 2 ** 48;

function perplexity(key: CellKey): PerplexityNumbers {
  const nll = Array.from({ length: 511 }, (_, position) => Math.fround(2 + draw(key, position)));
  return { nll, tokenBytes: nll.map(() => 3), windowTokens: 512, windowStarts: [0], sumNll: nll.reduce((sum, loss) => sum + loss, 0), tokenCount: 511, byteCount: 3 * 511, tokenDigest: digest(['tokens', key]) };
}

function attention(key: CellKey, contextTokens: number): AttentionNumbers {
  const distribution = (head: number): number[] => {
    const masses = Array.from({ length: BINS }, (_, bin) => (bin === 0 ? 20 : 1) * (0.1 + draw(key, head, bin)));
    const sum = masses.reduce((total, mass) => total + mass, 0);
    return masses.map((mass) => mass / sum);
  };
  const heads = Array.from({ length: LAYERS * HEADS }, (_, head) => distribution(head));
  const mean = Array.from({ length: BINS }, (_, bin) => heads.reduce((sum, masses) => sum + (masses[bin] ?? 0), 0) / heads.length);
  const packed = Buffer.from(Float32Array.from(heads.flat()).buffer).toString('base64');
  return {
    layers: LAYERS,
    headCount: HEADS,
    documents: 3,
    rows: 64,
    distributions: (['fraction', 'distance'] as const).map((axis) => ({ axis, bins: BINS, mean, heads: packed })),
    entropy: Math.log(contextTokens) / 2,
    entropyNormalized: 0.5,
    sinkMass: mean[0] ?? 0,
    tokenDigest: digest(['tokens', key]),
  };
}

/** Submits it and measures everything but one cell, which fails. */
export async function seedMixedSweep(store: Store, name: string): Promise<SweepId> {
  const plan = mixedPlan(name);
  await store.submit(fixtureSpec(grid(name)), { ...plan, cells: [...plan.cells].reverse() });
  const shards = await shardsToStart(store, plan.sweep, 100);
  for (const [at, shard] of shards.entries()) {
    const leased = await store.lease(shard, FIXTURE_PLACE);
    if (leased === null) continue;
    const { task, cells } = leased.job;
    await store.record(leased.lease, FIXTURE_PLACE, cells.map(({ key, contextTokens }, nth): CellResult => {
      if (at === 0 && nth === 0) return { key, state: 'failed', code: 'CELL_FAILED', reason: '<script>alert("slot")</script> died' };
      if (task.kind === 'perplexity') return { key, state: 'measured', seconds: 1, perplexity: perplexity(key) };
      if (task.kind === 'attention') return { key, state: 'measured', seconds: 1, attention: attention(key, contextTokens) };
      return { key, state: 'measured', seconds: draw(key), needle: { ...fixtureNumbers(key, contextTokens), answers: ['a "b"', 'é'], generatedText: 'x,\ny' } };
    }));
    await store.finishShard(leased.lease, { promptTokens: 10, distinctTokens: 8, computedTokens: 9, completionTokens: 2, loadSeconds: 0.1, runSeconds: 0.5 }, null);
  }
  await store.finishSweep(plan.sweep, null);
  return plan.sweep;
}
