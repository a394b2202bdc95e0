import { describe, expect, it } from 'vitest';
import pg from 'pg';
import { digest } from '../../domain/identity.js';
import { id, type CellKey, type ShardId, type SweepId } from '../../domain/ids.js';
import type { AttentionNumbers, PerplexityNumbers } from '../../domain/measurement.js';
import type { Plan, PlannedCell } from '../../domain/plan.js';
import type { ResolvedTask } from '../../domain/task.js';
import type { PrismaStore } from '../../results/store.js';
import type { TestDatabase } from '../stack/postgres.js';
import { FIXTURE_PLACE, fixturePlan, fixtureSpec, shardsToStart } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let database: TestDatabase;
let store: PrismaStore;
useFreshStore((fresh) => ({ database, store } = fresh));

const DOCUMENT = {
  id: digest('a document'),
  name: 'a document',
  tokens: null,
  source: { kind: 'haystack', haystack: { kind: 'markov', firstFillerId: 4, successors: [[1], [0]], jumpProbability: 0.1, rankScale: 2.5 }, seed: 1 },
  headIds: [0],
  textDigest: null,
} as const;

const TASKS: readonly ResolvedTask[] = [
  {
    kind: 'perplexity',
    documents: [DOCUMENT],
    tokenizerDigest: digest('tokenizer'),
    windows: { kind: 'first' },
    lastTokens: 2,
    buckets: null,
    contextTokens: [3, 5],
  },
  {
    kind: 'attention',
    documents: [DOCUMENT],
    documentsDigest: digest(['documents']),
    tokenizerDigest: digest('tokenizer'),
    rows: 2,
    axes: ['fraction', 'distance'],
    references: [{ method: 'none', continualPretrainContextTokens: null, contextTokens: 3 }],
    probes: 'heads',
  },
];

/** One arm: a perplexity cell at 5 tokens, attention cells at 3 and 5. */
function plan(name: string): Plan {
  const base = fixturePlan({ name, contextTokens: [5], depths: [0], seeds: [1] });
  const [arm] = base.arms;
  if (arm === undefined) throw new Error('the fixture has an arm');
  const key = (...parts: (string | number)[]) => id<CellKey>(digest(['numbers', ...parts]));
  const cells: PlannedCell[] = [
    { key: key('perplexity'), armId: arm.id, task: 0, taskKind: 'perplexity', contextTokens: 5, axes: { document: DOCUMENT.id }, state: 'planned' },
    { key: key('attention', 3), armId: arm.id, task: 1, taskKind: 'attention', contextTokens: 3, axes: {}, state: 'planned' },
    { key: key('attention', 5), armId: arm.id, task: 1, taskKind: 'attention', contextTokens: 5, axes: {}, state: 'planned' },
  ];
  const cost = { promptTokens: 5, distinctTokens: 5, flops: 1, kvBytes: 1, peakBytes: 1, resultBytes: 1 };
  const shards = [0, 1].map((task) => {
    const cellKeys = cells.filter((cell) => cell.task === task).map((cell) => cell.key);
    return { id: id<ShardId>(digest([name, ...cellKeys])), armId: arm.id, task, deviceClass: base.deviceClass, cellKeys, cost };
  });
  return { ...base, digest: digest([name]), tasks: TASKS, cells, shards, counts: { ...base.counts, total: 3, new: 3 } };
}

const PERPLEXITY: PerplexityNumbers = {
  nll: [Math.fround(0.1), Math.fround(2.5e-7), Math.fround(1 / 3), Math.fround(11.25)],
  tokenBytes: [4, 1, 0, 300],
  windowTokens: 5,
  windowStarts: [0],
  sumNll: 11.683333,
  tokenCount: 4,
  byteCount: 305,
  tokenDigest: digest('tokens'),
};

const attention = (shift: number): AttentionNumbers => {
  const heads = Float32Array.from([0.5, 0.5 - shift, shift, 1 - shift, shift, 0]);
  const mean = [0.75 - shift / 2, 0.25, shift / 2];
  return {
    layers: 1,
    headCount: 2,
    documents: 1,
    rows: 2,
    distributions: (['fraction', 'distance'] as const).map((axis) => ({ axis, bins: 3, mean, heads: Buffer.from(heads.buffer).toString('base64') })),
    entropy: 0.7 + shift,
    entropyNormalized: 0.5,
    sinkMass: 0.6,
    tokenDigest: digest(['tokens', shift]),
  };
};

async function evaluate(name: string): Promise<SweepId> {
  const submitted = plan(name);
  const spec = fixtureSpec({ name, contextTokens: [5], depths: [0], seeds: [1] });
  await store.submit(spec, submitted);
  for (const shard of await shardsToStart(store, submitted.sweep, 10, [])) {
    const leased = await store.lease(shard, FIXTURE_PLACE);
    // Nothing is left of a shard whose cells another sweep has measured.
    if (leased === null) continue;
    const { job, lease } = leased;
    await store.record(lease, FIXTURE_PLACE, job.cells.map((cell) => ({
      key: cell.key,
      state: 'measured',
      seconds: 1,
      ...(job.task.kind === 'perplexity' ? { perplexity: PERPLEXITY } : { attention: attention(cell.contextTokens === 3 ? 0 : 0.25) }),
    })));
    await store.finishShard(lease, null, null);
  }
  return submitted.sweep;
}

describe('numbers of perplexity and attention', () => {
  it('come out of the store as they went in, to the last bit', async () => {
    const { cells } = await store.rows(await evaluate('numbers'));
    expect(cells.map((cell) => cell.taskKind)).toEqual(['perplexity', 'attention', 'attention']);
    expect(cells[0]).toMatchObject({ taskKind: 'perplexity', document: DOCUMENT.id, perplexity: PERPLEXITY });
    expect(cells[1]).toMatchObject({ attention: { ...attention(0), distributions: [{ axis: 'fraction' }, { axis: 'distance' }] } });
    expect(cells[2]).toMatchObject({ attention: attention(0.25) });
  });

  it('reach a job with the axes of their task', async () => {
    const submitted = plan('jobs');
    const fresh: Plan = { ...submitted, cells: submitted.cells.map((cell) => ({ ...cell, key: id<CellKey>(digest(['jobs', cell.key])) })), shards: [] };
    const shards = submitted.shards.map((shard) => ({ ...shard, cellKeys: fresh.cells.filter((cell) => cell.task === shard.task).map((cell) => cell.key) }));
    await store.submit(fixtureSpec({ name: 'jobs', contextTokens: [5], depths: [0], seeds: [1] }), { ...fresh, shards });
    const jobs = await Promise.all((await shardsToStart(store, submitted.sweep, 10, [])).map((shard) => store.lease(shard, FIXTURE_PLACE)));
    const axes = jobs.map((leased) => ({ kind: leased?.job.task.kind, axes: leased?.job.cells.map((cell) => cell.axes) }));
    expect(axes.sort((a, b) => (a.kind ?? '').localeCompare(b.kind ?? ''))).toEqual([
      { kind: 'attention', axes: [{}, {}] },
      { kind: 'perplexity', axes: [{ document: DOCUMENT.id }] },
    ]);
  });

  it('are derived for every shown length by the view', async () => {
    await evaluate('view');
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query<{ context_tokens: number; tokens: number; sum_nll: number; bytes: string }>(
      "SELECT context_tokens, tokens, sum_nll, bytes FROM reporting.perplexity WHERE sweep = 'view' ORDER BY context_tokens",
    );
    await client.end();
    expect(rows).toEqual([
      { context_tokens: 3, tokens: 2, sum_nll: Math.fround(0.1) + Math.fround(2.5e-7), bytes: '5' },
      { context_tokens: 5, tokens: 4, sum_nll: PERPLEXITY.nll.reduce((sum, loss) => sum + loss, 0), bytes: '305' },
    ]);
  });
});

describe('divergences', () => {
  it('are derived once both cells are measured, in nats, and 0 to itself', async () => {
    await evaluate('divergences');
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query<Record<string, unknown>>(
      "SELECT context_tokens, axis::text, reference_context_tokens, mean_of_heads, of_mean FROM reporting.attention_divergences WHERE sweep = 'divergences' ORDER BY context_tokens, axis::text",
    );
    await client.end();
    // Heads (0.5, 0.5, 0) and (1, 0, 0) against (0.5, 0.25, 0.25) and (0.75, 0.25, 0); means (0.75, 0.25, 0) and (0.625, 0.25, 0.125).
    const js = (p: number[], q: number[]) => {
      const entropy = (values: number[]) => -values.reduce((sum, value) => sum + (value > 0 ? value * Math.log(value) : 0), 0);
      return entropy(p.map((value, bin) => (value + (q[bin] ?? 0)) / 2)) - (entropy(p) + entropy(q)) / 2;
    };
    const meanOfHeads = (js([0.5, 0.5, 0], [0.5, 0.25, 0.25]) + js([1, 0, 0], [0.75, 0.25, 0])) / 2;
    const ofMean = js([0.75, 0.25, 0], [0.625, 0.25, 0.125]);
    const close = (value: number) => expect.closeTo(value, 9) as number;
    expect(rows).toEqual(
      [3, 5].flatMap((length) =>
        ['distance', 'fraction'].map((axis) => ({
          context_tokens: length,
          axis,
          reference_context_tokens: 3,
          mean_of_heads: length === 3 ? 0 : close(meanOfHeads),
          of_mean: length === 3 ? 0 : close(ofMean),
        })),
      ),
    );
  });
});

describe('a cell that the plan foresees to be infeasible', () => {
  const REASON = 'it takes 31 GB, the class has 24 GB';

  it('is infeasible with its reason before anybody tried it, and the sweep ends without it', async () => {
    const base = fixturePlan({ name: 'foreseen', contextTokens: [64], depths: [0.125], seeds: [77] });
    const cells = base.cells.map((cell) => ({ ...cell, state: 'infeasible' as const, reason: REASON, foreseen: [{ deviceClass: 'cpu', code: 'OUT_OF_MEMORY' as const, reason: REASON }] }));
    const submitted: Plan = { ...base, cells, shards: [] };
    await store.submit(fixtureSpec({ name: 'foreseen', contextTokens: [64], depths: [0.125], seeds: [77] }), submitted);
    expect(await store.outcomes(submitted.sweep)).toMatchObject([{ state: 'infeasible', code: 'OUT_OF_MEMORY', reason: REASON, attempts: 0 }]);
    expect(await store.status(submitted.sweep)).toMatchObject({ state: 'incomplete', cells: { infeasible: 1, planned: 0 } });
  });
});
