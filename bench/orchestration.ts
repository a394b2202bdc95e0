/**
 * Orchestration with an engine that returns at once: cells a second from the submission to the sweep's end with every row in
 * PostgreSQL, what a cell more costs, memory, and plans of a million cells; beside other ways to run many small things.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { planSweep, readSweepFile } from '../cli/planning.js';
import { SweepWorkflows } from '../cli/sweepWorkflows.js';
import { cacheFolder } from '../infra/cacheFolder.js';
import { packageFile } from '../infra/packageRoot.js';
import { openStore, type PrismaStore } from '../results/store.js';
import { PLAIN_QUEUE, type activityPerCell } from './activityPerCell.js';
import { startBenchStack, type BenchStack } from './benchStack.js';
import { OPTUNA, RAY, runTrials } from './peers.js';
import { rateRatio, type BenchOptions, type BenchResult, type Ratio } from './result.js';

/** 10 arms, 5 lengths, 10 depths: so many cells have one seed. */
const CELLS_A_SEED = 500;
const CONTEXT_TOKENS = [64, 96, 128, 192, 256];
const DEPTHS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
const FACTORS = [2, 4, 8];
const OPTUNA_PROCESSES = 2;

/** A cell more may cost at most 1.1 times as much between the two larger sizes as between the two smaller ones. */
const REQUIRED_STEADINESS = 1 / 1.1;
const REQUIRED = { activityPerCell: 2.5, optuna: 15, raytune: 30, raycore: 1 };

interface Sizes {
  readonly sweeps: readonly [number, number, number];
  /** Cells of ours that stand beside each peer. */
  readonly beside: number;
  readonly planned: number;
  readonly activities: number;
  readonly optuna: number;
  readonly raytune: number;
  readonly raycore: number;
}
/** Of each peer as much as takes 10 to 20 s. */
const FULL: Sizes = { sweeps: [1_000, 10_000, 100_000], beside: 10_000, planned: 1_000_000, activities: 5_000, optuna: 800, raytune: 400, raycore: 12_000 };
const QUICK: Sizes = { sweeps: [500, 1_000, 5_000], beside: 1_000, planned: 20_000, activities: 500, optuna: 60, raytune: 30, raycore: 1_000 };

export async function orchestration({ only, quick }: BenchOptions): Promise<BenchResult> {
  const wanted = (name: string): boolean => only.length === 0 || only.some((part) => name.startsWith(part));
  const sizes = quick ? QUICK : FULL;
  const stack = await startBenchStack();
  const store = await openStore(stack.databaseUrl);
  const workflows = await SweepWorkflows.open({ address: stack.temporalAddress, connectionOptions: { address: stack.temporalAddress }, namespace: 'default', uiUrl: null });
  try {
    const sweeps = new Sweeps(stack, store, workflows);
    const figures: Record<string, number> = {};
    const ratios: Record<string, Ratio> = {};
    await sweeps.run(CELLS_A_SEED); // everything is loaded
    if (wanted('cells-per-second') || wanted('marginal')) await measureSizes(sweeps, sizes, figures, ratios);
    for (const [name, peer] of Object.entries(peersOf(stack, sizes))) {
      if (!wanted(name)) continue;
      const ours = sizes.beside / (await sweeps.run(sizes.beside));
      const { trials, seconds } = await peer.run();
      console.error(`${peer.title}: ${(trials / seconds).toFixed(1)} a second`);
      ratios[name] = rateRatio(ours, trials / seconds, 'a second', peer.title, peer.required);
    }
    for (const [name, mebibytes] of Object.entries(stack.memory())) figures[`memory of ${name}, MiB`] = mebibytes;
    if (wanted('plan')) await measurePlan(sweeps, store, sizes.planned, figures);
    return { figures, ratios };
  } finally {
    await workflows.close();
    await store.close();
    await stack.close();
  }
}

async function measureSizes(sweeps: Sweeps, { sweeps: [small, middle, large] }: Sizes, figures: Record<string, number>, ratios: Record<string, Ratio>): Promise<void> {
  const seconds: Record<number, number> = {};
  for (const cells of [small, middle, large]) {
    seconds[cells] = await sweeps.run(cells);
    figures[`cells-per-second, ${inThousands(cells)}`] = cells / seconds[cells];
  }
  const marginal = (from: number, to: number): number => (((seconds[to] ?? NaN) - (seconds[from] ?? NaN)) / (to - from)) * 1000;
  const [first, second] = [marginal(small, middle), marginal(middle, large)];
  figures[`marginal milliseconds a cell, ${inThousands(small)} to ${inThousands(middle)}`] = first;
  figures[`marginal milliseconds a cell, ${inThousands(middle)} to ${inThousands(large)}`] = second;
  ratios['marginal-cost-steady'] = { ours: second, other: first, unit: 'ms a cell', against: 'the same at a tenth of the size', ratio: first / second, required: REQUIRED_STEADINESS };
}

async function measurePlan(sweeps: Sweeps, store: PrismaStore, cells: number, figures: Record<string, number>): Promise<void> {
  const size = inThousands(cells);
  const { plan, spec, seconds } = await sweeps.plan(cells);
  figures[`plan, ${size} cells, s`] = seconds;
  const start = performance.now();
  await store.submit(spec, plan);
  figures[`persist, ${size} cells, s`] = (performance.now() - start) / 1000;
  const looked = performance.now();
  await store.status(plan.sweep);
  figures[`status with ${size} planned cells, ms`] = performance.now() - looked;
}

const inThousands = (cells: number): string => (cells < 1_000 ? String(cells) : cells < 1_000_000 ? `${cells / 1_000}k` : `${cells / 1_000_000}M`);

/** Sweeps that the store has not seen: each with seeds of its own. */
class Sweeps {
  private seeds = 0;
  private count = 0;

  constructor(
    private readonly stack: BenchStack,
    private readonly store: PrismaStore,
    private readonly workflows: SweepWorkflows,
  ) {}

  /** Seconds from the submission of the plan to the sweep's end. */
  async run(cells: number): Promise<number> {
    const { plan, spec } = await this.plan(cells);
    const start = performance.now();
    await this.store.submit(spec, plan);
    await this.workflows.start(plan.sweep);
    for (;;) {
      const status = await this.store.status(plan.sweep);
      if (status?.state === 'done') break;
      if (status?.state !== 'running') throw new Error(`the sweep of ${cells} cells ended ${String(status?.state)}`);
      await sleep(100);
    }
    const seconds = (performance.now() - start) / 1000;
    const measured = (await this.store.status(plan.sweep))?.cells.measured;
    if (measured !== cells) throw new Error(`of ${cells} cells ${String(measured)} have rows`);
    console.error(`${cells} cells: ${seconds.toFixed(2)} s`);
    return seconds;
  }

  /** Seconds are those from the sweep file to the plan, what the store knows included. */
  async plan(cells: number) {
    const file = join(this.stack.folder, `sweep-${(this.count += 1)}.json`);
    const seeds = Array.from({ length: cells / CELLS_A_SEED }, () => (this.seeds += 1));
    writeFileSync(file, JSON.stringify(sweepOf(`bench-${this.count}`, seeds)));
    const sweepFile = await readSweepFile(file, []);
    const start = performance.now();
    const { plan } = await planSweep(sweepFile, this.store);
    const seconds = (performance.now() - start) / 1000;
    if (plan.counts.new !== cells) throw new Error(`${plan.counts.new} of ${cells} cells are new`);
    return { plan, spec: sweepFile.spec, seconds };
  }
}

const sweepOf = (name: string, seeds: readonly number[]) => ({
  name,
  model: { name: 'starter', base: packageFile('models', 'starter', 'base') },
  methods: [{ name: 'none' }, ...FACTORS.flatMap((factor) => ['pi', 'ntk', 'yarn'].map((method) => ({ name: method, factor })))],
  contextTokens: CONTEXT_TOKENS,
  cellLimit: FULL.planned,
  tasks: [
    {
      kind: 'needle',
      depths: DEPTHS,
      seeds,
      probes: 'summary',
      haystack: { kind: 'markov', file: packageFile('models', 'starter', 'filler.json') },
      needle: { kind: 'symbols' },
    },
  ],
});

interface OrchestrationPeer {
  readonly title: string;
  readonly required: number;
  readonly run: () => Promise<{ trials: number; seconds: number }>;
}

function peersOf(stack: BenchStack, sizes: Sizes): Record<string, OrchestrationPeer> {
  const cache = join(cacheFolder(), 'bench');
  const cores = String(availableParallelism());
  return {
    'cells-vs-activity-per-cell': {
      title: 'a workflow of one activity a cell on the same Temporal server',
      required: REQUIRED.activityPerCell,
      run: () => runActivities(stack.temporalAddress, sizes.activities),
    },
    'cells-vs-optuna': {
      title: `${OPTUNA}, ${OPTUNA_PROCESSES} processes on the same PostgreSQL`,
      required: REQUIRED.optuna,
      run: async () => runTrials(cache, 'optuna_trials.py', [(await stack.newDatabase()).replace(/^postgresql:/, 'postgresql+psycopg2:'), String(OPTUNA_PROCESSES), String(sizes.optuna)]),
    },
    'cells-vs-raytune': { title: `${RAY}, Ray Tune`, required: REQUIRED.raytune, run: () => runTrials(cache, 'ray_trials.py', [cores, String(sizes.raytune)]) },
    'cells-vs-raycore': { title: `${RAY}, bare tasks`, required: REQUIRED.raycore, run: () => runTrials(cache, 'ray_tasks.py', [cores, String(sizes.raycore)]) },
  };
}

async function runActivities(address: string, trials: number): Promise<{ trials: number; seconds: number }> {
  const connection = await Connection.connect({ address });
  try {
    const start = performance.now();
    await new Client({ connection }).workflow.execute<typeof activityPerCell>('activityPerCell', { workflowId: 'bench-plain', taskQueue: PLAIN_QUEUE, args: [trials] });
    return { trials, seconds: (performance.now() - start) / 1000 };
  } finally {
    await connection.close();
  }
}
