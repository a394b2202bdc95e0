/**
 * A small store with everything that dashboards show: two sweeps, every task kind, cells in every state, attempts that failed,
 * workers, samples of queues. Written through the store's own interface; numbers are made up.
 */
import pg from 'pg';
import { digest } from '../../domain/identity.js';
import { id, type CellKey, type ShardId } from '../../domain/ids.js';
import type { AttentionNumbers, CellResult, PerplexityNumbers } from '../../domain/measurement.js';
import type { Plan, PlannedCell, PlannedShard } from '../../domain/plan.js';
import type { JobCell } from '../../domain/slot.js';
import type { ResolvedTask } from '../../domain/task.js';
import { openStore, type PrismaStore } from '../../results/store.js';
import { FIXTURE_PLACE, fixturePlan, fixtureResult, fixtureSpec, shardsToStart, type FixtureGrid } from '../stack/seed.js';

export const GRID: FixtureGrid = {
  name: 'shown',
  methods: [{ name: 'none' }, { name: 'yarn', factor: 4, betaFast: 32, betaSlow: 1, truncate: true }],
  continued: [null, 512],
  contextTokens: [128, 256, 512, 1024, 2048],
  depths: [0, 0.5, 1],
  seeds: [1, 2],
};

const DOCUMENTS = ['one', 'two'].map((name) => ({
  id: digest(name),
  name,
  tokens: null,
  source: { kind: 'haystack', haystack: { kind: 'markov', firstFillerId: 4, successors: [[1], [0]], jumpProbability: 0.1, rankScale: 2.5 }, seed: 1 },
  headIds: [0],
  textDigest: null,
} as const));

const LONGEST = 512;
const ATTENTION_LENGTHS = [128, 512];

const OTHER_TASKS: readonly ResolvedTask[] = [
  { kind: 'perplexity', documents: DOCUMENTS, tokenizerDigest: digest('tokenizer'), windows: { kind: 'first' }, lastTokens: 2, buckets: null, contextTokens: [100, 128, LONGEST] },
  {
    kind: 'attention', documents: DOCUMENTS, documentsDigest: digest(['documents']), tokenizerDigest: digest('tokenizer'), rows: 2, axes: ['fraction', 'distance', 'index'],
    references: [{ method: 'none', continualPretrainContextTokens: null, contextTokens: 128 }], probes: 'heads',
  },
];

/** The needle plan of the grid, with a perplexity and an attention task after it. */
export function planOfAllTasks(grid: FixtureGrid = GRID): Plan {
  const base = fixturePlan(grid);
  const key = (...parts: (string | number)[]) => id<CellKey>(digest(['all tasks', ...grid.seeds, ...parts]));
  const cells: PlannedCell[] = base.arms.flatMap((arm) => [
    ...DOCUMENTS.map((document): PlannedCell => ({ key: key(arm.id, document.id), armId: arm.id, task: 1, taskKind: 'perplexity', contextTokens: LONGEST, axes: { document: document.id }, state: 'planned' })),
    ...ATTENTION_LENGTHS.map((contextTokens): PlannedCell => ({ key: key(arm.id, contextTokens), armId: arm.id, task: 2, taskKind: 'attention', contextTokens, axes: {}, state: 'planned' })),
  ]);
  const shards = base.arms.flatMap((arm) =>
    [1, 2].map((task): PlannedShard => {
      const cellKeys = cells.filter((cell) => cell.armId === arm.id && cell.task === task).map((cell) => cell.key);
      return { id: id<ShardId>(digest(cellKeys)), armId: arm.id, task, deviceClass: 'cpu', cellKeys, cost: { promptTokens: 1000, distinctTokens: 1000, flops: 1e6, kvBytes: 1, peakBytes: 1, resultBytes: 1 } };
    }),
  );
  const total = base.cells.length + cells.length;
  return { ...base, digest: digest([base.digest, 'all tasks']), tasks: [...base.tasks, ...OTHER_TASKS], cells: [...base.cells, ...cells], shards: [...base.shards, ...shards], counts: { ...base.counts, total, new: total } };
}

const PERPLEXITY: PerplexityNumbers = (() => {
  const nll = Array.from({ length: LONGEST - 1 }, (_, place) => Math.fround(1 + 10 / (place + 2)));
  return {
    nll, tokenBytes: nll.map((_, place) => 1 + (place % 5)), windowTokens: LONGEST, windowStarts: [0], sumNll: nll.reduce((sum, loss) => sum + loss, 0), tokenCount: nll.length,
    byteCount: nll.reduce((sum, _, place) => sum + 1 + (place % 5), 0), tokenDigest: digest('tokens'),
  };
})();
export const LOSSES: readonly number[] = PERPLEXITY.nll;

/** Two layers of two heads; the first bin takes the more the shorter the context is. */
export function fixtureAttention(contextTokens: number): AttentionNumbers {
  const bins = 5;
  const heads = Float32Array.from({ length: 4 * bins }, (_, index) => {
    const sink = 0.2 + 0.1 * Math.floor(index / bins) + 10 / contextTokens;
    return index % bins === 0 ? sink : (1 - sink) / (bins - 1);
  });
  const mean = Array.from({ length: bins }, (_, bin) => [0, 1, 2, 3].reduce((sum, head) => sum + (heads[head * bins + bin] ?? NaN) / 4, 0));
  return {
    layers: 2, headCount: 2, documents: 2, rows: 2,
    distributions: (['fraction', 'distance', 'index'] as const).map((axis) => ({ axis, bins, mean, heads: Buffer.from(heads.buffer).toString('base64') })),
    entropy: Math.log(contextTokens) / 2, entropyNormalized: 0.5, sinkMass: 0.4, tokenDigest: digest(['tokens', contextTokens]),
  };
}

const resultOf = (kind: ResolvedTask['kind'], { key, contextTokens }: Pick<JobCell, 'key' | 'contextTokens'>): CellResult =>
  kind === 'needle'
    ? fixtureResult(key, contextTokens)
    : { key, state: 'measured', seconds: 1, ...(kind === 'perplexity' ? { perplexity: PERPLEXITY } : { attention: fixtureAttention(contextTokens) }) };

const STATS = { promptTokens: 700, distinctTokens: 600, computedTokens: 650, completionTokens: 2, loadSeconds: 0.1, runSeconds: 0.5 };

/** Evaluates open shards with made-up numbers, `left` of them stay. */
async function evaluate(store: PrismaStore, plan: Plan, left: number): Promise<void> {
  for (;;) {
    const open = await shardsToStart(store, plan.sweep, 50, []);
    if (open.length <= left) return;
    const [shard] = open;
    const leased = shard === undefined ? null : await store.lease(shard, FIXTURE_PLACE);
    if (leased === null) continue;
    const { lease, job } = leased;
    await store.record(lease, FIXTURE_PLACE, job.cells.map((cell) => resultOf(job.task.kind, cell)));
    await store.finishShard(lease, STATS, null);
  }
}

const WORKER = { host: 'h', pid: 1, processStarted: '', deviceClass: 'cpu', slots: 2, fingerprint: FIXTURE_PLACE.fingerprint, selfTest: 'passed', queue: 'q', memoryBytes: 2 ** 34, version: '0.1.0' } as const;

/** `shown` is done, with a square of each state; `running` has a shard that runs, half of it ended; of `planned` nothing is measured. */
export async function fillTaskStore(url: string): Promise<Plan> {
  const store = await openStore(url);
  try {
    const plan = planOfAllTasks();
    await store.submit(fixtureSpec(GRID), plan);
    // Of the first arm: its longest context, and the one before.
    const [second, first] = plan.shards.filter(({ armId, task }) => armId === plan.arms[0]?.id && task === 0).slice(-2).map((shard) => shard.id);
    const held = first === undefined ? null : await store.lease(first, FIXTURE_PLACE);
    const [diverged, ...rest] = held?.job.cells ?? [];
    if (held === null || diverged === undefined || second === undefined) throw new Error('nothing was leased');
    await store.record(held.lease, FIXTURE_PLACE, [
      { key: diverged.key, state: 'diverged', seconds: 1, tokenDigest: 'tokens' },
      // Of the square of the diverged one, and the whole square below.
      ...rest.slice(0, 3).map(({ key }) => ({ key, state: 'infeasible', code: 'OUT_OF_MEMORY', reason: 'too big' }) as const),
      ...rest.slice(3).map((cell) => fixtureResult(cell.key, cell.contextTokens)),
    ]);
    await store.finishShard(held.lease, null, null);
    const tried = await store.lease(second, FIXTURE_PLACE);
    if (tried === null) throw new Error('nothing was leased');
    await store.finishShard(tried.lease, null, { code: 'SLOT_CRASHED', reason: 'it crashed' });
    await store.failShard(second, 'SLOT_CRASHED', 'it crashed', 1);
    await evaluate(store, plan, 0);
    await store.finishSweep(plan.sweep, null);

    const running = planOfAllTasks({ ...GRID, name: 'running', seeds: [3, 4] });
    await store.submit(fixtureSpec({ ...GRID, name: 'running', seeds: [3, 4] }), running);
    await evaluate(store, running, 4);
    const [open] = await shardsToStart(store, running.sweep, 1, []);
    const runs = open === undefined ? null : await store.lease(open, FIXTURE_PLACE);
    if (runs === null) throw new Error('nothing was leased');
    await store.record(runs.lease, FIXTURE_PLACE, runs.job.cells.slice(0, 1).map((cell) => resultOf(runs.job.task.kind, cell)));

    const planned = { ...GRID, name: 'planned', seeds: [5] };
    await store.submit(fixtureSpec(planned), planOfAllTasks(planned));

    await store.registerWorker({ id: FIXTURE_PLACE.worker, ...WORKER });
    await store.registerWorker({ id: 'silent', ...WORKER });
    await store.saveQueueSamples([
      { queue: 'ropesweep-control', kind: 'workflow', backlog: 0, backlogAgeSeconds: 0, addedPerSecond: 1, dispatchedPerSecond: 1, pollers: 1 },
      { queue: 'ropesweep-evaluate-cpu', kind: 'activity', backlog: 7, backlogAgeSeconds: 12.5, addedPerSecond: 2, dispatchedPerSecond: 1, pollers: 0 },
    ]);
    await asOwner(url, "UPDATE workers SET heartbeat_at = now() - interval '2 minutes' WHERE id = 'silent'");
    return plan;
  } finally {
    await store.close();
  }
}

/** One statement as the owner, for what the store's interface has no way to say. */
export async function asOwner(url: string, sql: string): Promise<void> {
  const owner = new pg.Client({ connectionString: url });
  await owner.connect();
  await owner.query(sql).finally(() => owner.end());
}
