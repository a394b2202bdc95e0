/** Device classes: what a plan says for one, and what it refuses. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planJson, planText } from '../../cli/plan.js';
import { RopesweepError } from '../../domain/errors.js';
import type { CellKey } from '../../domain/ids.js';
import type { Plan } from '../../domain/plan.js';
import type { KnownCell } from '../../domain/ports.js';
import { digest } from '../../domain/identity.js';
import { dearestCells } from '../../planner/dearest.js';
import { forecast } from '../../planner/forecast.js';
import { layGrid } from '../../planner/grid.js';
import { parseSpec } from '../../planner/parse.js';
import { buildPlan } from '../../planner/plan.js';
import { SweepRefinement } from '../../planner/refineSweep.js';
import { resolveSweep } from '../../planner/resolve.js';
import { DEMO, demoSweep } from './demoSweep.js';

const TASK = '{kind: needle, haystack: {kind: noise}, needle: {kind: passkey}, template: {kind: base}, depths: [0, 0.5, 1]}';
const LARGE = `
name: large
model: {name: large, base: ../models/not-here, config: ../models/configs/llama-2-7b}
methods: [none, {name: pi, factor: 32}, {name: dynamic-ntk, factor: 32}]
contextTokens: [4096, 131072]
tasks: [${TASK}]
`;

let modelsFolder: string;
beforeAll(async () => {
  modelsFolder = await mkdtemp(path.join(tmpdir(), 'ropesweep-device-'));
});
afterAll(() => rm(modelsFolder, { recursive: true }));

/** A plan of weights that are not here, as a file beside the demo would be. */
async function large(...set: string[]): Promise<Plan> {
  const spec = parseSpec(LARGE, { file: DEMO, set });
  const resolved = await resolveSweep(spec, { file: DEMO, fileSha256: ({ path: file }) => Promise.resolve(digest(file)), modelsFolder });
  return buildPlan(spec, resolved, new Map());
}

async function refusal(attempt: Promise<unknown>): Promise<RopesweepError> {
  const error: unknown = await attempt.then(() => null, (reason: unknown) => reason);
  if (error instanceof RopesweepError) return error;
  throw error instanceof Error ? error : new Error('it was not refused');
}

describe('the device class of a sweep', () => {
  it('that nobody knows is refused with those that are', async () => {
    const error = await refusal(demoSweep('deviceClass=h100', 'deviceClasses={big-one: {provider: cpu}}'));
    expect(error.problems.map(({ what, mend }) => `${what} | ${mend ?? ''}`)).toEqual([
      'h100 is not one of big-one, cpu, webgpu, cuda-24, cuda-40, cuda-80, cuda-141 | Use one of them, or describe the class: deviceClasses: {h100: {provider: cuda, memoryGiB: 80}}.',
    ]);
  });

  it('may be one of its own', async () => {
    const plan = await large('deviceClass=h100', 'deviceClasses={h100: {provider: cuda, memoryGiB: 80, assumedTeraflops: 395}}');
    expect([plan.deviceClass, plan.engineVersion, plan.dtype]).toEqual(['h100', 'onnxruntime-1.30.0/cuda/graph-3', 'f16']);
  });

  it('says the dtype: float32 on a CPU; on a GPU as the weights are stored, unless the spec says', async () => {
    const dtype = async (...set: string[]) => (await demoSweep(...set)).resolved.dtype;
    expect(await dtype()).toBe('f32');
    expect(await dtype('deviceClass=cuda-24')).toBe('f32');
    expect(await dtype('deviceClass=cuda-24', 'dtype=bf16')).toBe('bf16');
    expect((await refusal(demoSweep('dtype=f16'))).problems).toEqual([
      { where: '--set dtype=f16', what: 'cpu computes in f32, not in f16', mend: 'Leave dtype out, or use another device class.' },
    ]);
  });

  it('of a GPU from Node shares no prefixes; of a CPU it does', async () => {
    const shared = async (...set: string[]) => {
      const { spec, resolved } = await demoSweep(...set);
      const { cost } = buildPlan(spec, resolved, new Map());
      return cost.distinctTokens / cost.promptTokens;
    };
    expect(await shared()).toBeLessThan(0.6);
    expect(await shared('deviceClass=cuda-24')).toBe(1);
  });

  it('that keeps nothing between runs decodes nothing greedily: refused, with what it would cost', async () => {
    const error = await refusal(demoSweep('deviceClass=cuda-80', 'tasks[0].generateTokens=50'));
    expect(error.problems).toEqual([
      {
        where: '--set tasks[0].generateTokens=50',
        what: 'cuda-80 keeps nothing between runs, so 50 generated tokens would run every prompt 50 more times: 51 times the cost',
        mend: 'Set generateTokens: 0 (exactMatch says whether greedy decoding prints the answer), or use a class that keeps keys and values, such as cpu.',
      },
    ]);
  });

  it('foresees cells that cannot fit it, with both figures, and puts them into no shard', async () => {
    const plan = await large('deviceClass=cuda-24');
    const long = plan.cells.filter(({ contextTokens }) => contextTokens === 131_072);
    expect(long.map(({ state, foreseen }) => `${state} ${foreseen?.map(({ deviceClass, code }) => `${deviceClass} ${code}`).join() ?? ''}`)).toEqual(Array.from({ length: 9 }, () => 'infeasible cuda-24 OUT_OF_MEMORY'));
    expect(long[0]?.reason).toMatch(/^it takes \d+\.\d GiB, cuda-24 has 24\.0 GiB$/);
    expect(plan.cells.filter(({ contextTokens }) => contextTokens === 4096).every(({ state }) => state === 'planned')).toBe(true);
    // At the trained context dynamic-ntk is plain RoPE: three cells have the keys of three others.
    expect(plan.shards.flatMap(({ cellKeys }) => cellKeys)).toHaveLength(6);
    expect((await large('deviceClass=cuda-141')).counts.infeasible).toBe(0);
    // A CPU's memory is its node's: its worker tells.
    expect((await large()).counts.infeasible).toBe(0);
  });
});

describe('the larger device class of a sweep', () => {
  const LARGER = ['deviceClass=cuda-24', 'largerDeviceClass=cuda-80', 'mixFingerprints=allow'];

  it('that cannot stand in is refused with everything that is wrong with it', async () => {
    const refused = async (...set: string[]) => (await refusal(demoSweep(...set))).problems.map(({ what, mend }) => `${what} | ${mend ?? ''}`);
    expect(await refused('deviceClass=cuda-80', 'largerDeviceClass=cuda-24')).toEqual([
      'another kind of node has another fingerprint, and mixFingerprints is perArm | Set mixFingerprints: allow: the cells that only the larger class holds are then measured there, and each row says where it was measured.',
      'cuda-24 has 24 GiB, cuda-80 has 80 GiB | Name a class with more memory.',
    ]);
    expect(await refused('largerDeviceClass=cuda-80', 'mixFingerprints=allow')).toEqual([
      'cuda-80 computes on cuda, cpu on cpu: numbers of one sweep are computed alike | Name a class of provider cpu.',
    ]);
    expect(await refused('largerDeviceClass=cpu', 'mixFingerprints=allow')).toEqual(['cpu is the device class itself | Name a class with more memory, or leave largerDeviceClass out.']);
    expect(await refused('largerDeviceClass=huge', 'mixFingerprints=allow')).toEqual([expect.stringMatching(/^huge is not one of cpu, .* describe the class: deviceClasses: \{huge: /)]);
  });

  it('computes what does not fit the other, in shards of its own; nothing else changes', async () => {
    const [alone, plan] = [await large(LARGER[0] ?? ''), await large(...LARGER)];
    const long = plan.cells.filter(({ contextTokens }) => contextTokens === 131_072);
    expect(long.map(({ state, onLarger, foreseen }) => [state, onLarger, foreseen?.map(({ deviceClass }) => deviceClass)])).toEqual(Array.from({ length: 9 }, () => ['planned', true, ['cuda-24']]));
    expect(plan.cells.filter(({ contextTokens }) => contextTokens === 4096)).toEqual(alone.cells.filter(({ contextTokens }) => contextTokens === 4096));
    const shardsOf = (deviceClass: string) => plan.shards.filter((shard) => shard.deviceClass === deviceClass);
    expect(shardsOf('cuda-24')).toEqual(alone.shards);
    expect(shardsOf('cuda-80').flatMap(({ cellKeys }) => cellKeys).sort()).toEqual([...new Set(long.map(({ key }) => key))].sort());
    expect([plan.counts.new, plan.counts.infeasible]).toEqual([18, 0]);
    expect(plan.cost.flops).toBeCloseTo(plan.shards.reduce((sum, { cost }) => sum + cost.flops, 0), -6);
    expect([alone.largerDeviceClass, plan.largerDeviceClass]).toEqual([null, 'cuda-80']);
    expect(plan.digest).not.toBe(alone.digest);
  });

  it('that cannot hold a cell either leaves it infeasible, with what both lack', async () => {
    const plan = await large(...LARGER, 'largerDeviceClass=middle', 'deviceClasses={middle: {provider: cuda, memoryGiB: 25}}');
    const [first] = plan.cells.filter(({ contextTokens }) => contextTokens === 131_072);
    expect(first).toMatchObject({ state: 'infeasible', foreseen: [{ deviceClass: 'cuda-24' }, { deviceClass: 'middle' }] });
    expect(first?.reason).toMatch(/^it takes (\d+\.\d) GiB, cuda-24 has 24\.0 GiB; it takes \1 GiB, middle has 25\.0 GiB$/);
    expect(first?.onLarger).toBeUndefined();
  });

  it('gets the cells that ran out of memory before, whatever was predicted of them, and says what happened', async () => {
    const { spec, resolved } = await demoSweep('deviceClasses={small: {provider: cpu}, large: {provider: cpu}}', 'deviceClass=small', 'largerDeviceClass=large', 'mixFingerprints=allow');
    const fresh = buildPlan(spec, resolved, new Map());
    const [tried, ended] = fresh.cells;
    if (tried === undefined || ended === undefined) throw new Error('the demo has cells');
    const known = new Map<CellKey, KnownCell>([[tried.key, { state: 'planned', reason: 'out of memory: exit code 134' }], [ended.key, { state: 'infeasible', reason: 'both were too small' }]]);
    const plan = buildPlan(spec, resolved, known);
    expect(plan.cells[0]).toEqual({ ...tried, reason: 'out of memory: exit code 134', onLarger: true });
    expect(plan.cells[1]).toEqual({ ...ended, state: 'infeasible', reason: 'both were too small' });
    expect(plan.shards.filter(({ deviceClass }) => deviceClass === 'large').map(({ cellKeys }) => cellKeys)).toEqual([[tried.key]]);
    expect(plan.digest).toBe(fresh.digest);
  });

  it('is not asked again for a cell that it did not hold, while the other is too small for it; with more memory the other computes it', async () => {
    const planned = async (memoryGiB: number): Promise<[Plan, CellKey]> => {
      const set = ['deviceClass=little', 'largerDeviceClass=cuda-80', 'mixFingerprints=allow', `deviceClasses={little: {provider: cuda, memoryGiB: ${String(memoryGiB)}}}`];
      const spec = parseSpec(LARGE, { file: DEMO, set });
      const resolved = await resolveSweep(spec, { file: DEMO, fileSha256: ({ path: file }) => Promise.resolve(digest(file)), modelsFolder });
      const key = buildPlan(spec, resolved, new Map()).cells.find(({ contextTokens }) => contextTokens === 131_072)?.key ?? ('' as CellKey);
      return [buildPlan(spec, resolved, new Map([[key, { state: 'infeasible', reason: 'cuda-80 ran out', ifTooLarge: true }]])), key];
    };
    const cellOf = ([plan, key]: [Plan, CellKey]) => plan.cells.find((cell) => cell.key === key);
    const [small, enough] = [await planned(24), await planned(79)];
    expect(cellOf(small)).toMatchObject({ state: 'infeasible', reason: expect.stringMatching(/^it takes .* GiB, little has 24\.0 GiB; cuda-80 ran out$/) as string, foreseen: [{ deviceClass: 'little' }] });
    expect(cellOf(enough)).toMatchObject({ state: 'planned' });
    expect(cellOf(enough)).not.toHaveProperty('onLarger');
    // What is foreseen is of a revision: another memory makes another.
    expect(enough[0].digest).not.toBe(small[0].digest);
  });

  it('is told by plan: how many cells go there, what they cost, and nothing of them among what is not run', async () => {
    const spec = parseSpec(LARGE, { file: DEMO, set: LARGER });
    const resolved = await resolveSweep(spec, { file: DEMO, fileSha256: ({ path: file }) => Promise.resolve(digest(file)), modelsFolder });
    const grid = [...layGrid(resolved)];
    const plan = buildPlan(spec, resolved, new Map(), grid);
    const told = { plan, forecasts: forecast(spec, resolved, grid, plan, new Map()), dearest: dearestCells(resolved, grid, plan), refinement: null };
    const text = planText(told);
    expect(text).toMatch(/new {8}18 in (\d+) shards, 9 of them in \d+ on cuda-80 \(too large for cuda-24\)/);
    expect(text).toContain('to compute on cuda-24 in f16:');
    expect(text).toContain('to compute on cuda-80 in f16:');
    expect(text).not.toContain('not run:');
    expect(planJson(told)).toMatchObject({ deviceClass: 'cuda-24', largerDeviceClass: 'cuda-80', notRun: [] });
    expect(told.dearest.map(({ deviceClass }) => deviceClass)).toContain('cuda-80');
    const [small, big] = ['cuda-24', 'cuda-80'].map((name) => told.forecasts.find(({ deviceClass }) => deviceClass === name));
    expect([small?.cells, small?.infeasible, big?.infeasible]).toEqual([15, 9, 0]);
  });

  it('holds the lengths that refinement searches between', async () => {
    const tiny = ['deviceClasses={tiny: {provider: cuda, memoryGiB: 0.0146}}', 'deviceClass=tiny', 'tasks[0].refine={toleranceTokens: 64, maximumSeeds: 4}'];
    const { resolved } = await demoSweep(...tiny, 'largerDeviceClass=cuda-24', 'mixFingerprints=allow');
    const refinement = new SweepRefinement(resolved);
    const { cells } = refinement.step(new Map());
    const classOf = new Map(refinement.shardsOf(cells).flatMap(({ deviceClass, cellKeys }) => cellKeys.map((key) => [key, deviceClass] as const)));
    const lengthsOn = (name: string) => cells.filter(({ key }) => classOf.get(key) === name).map(({ contextTokens }) => contextTokens);
    expect(Math.max(...lengthsOn('tiny'))).toBeLessThan(Math.min(...lengthsOn('cuda-24')));
    const alone = new SweepRefinement((await demoSweep(...tiny)).resolved).step(new Map()).cells.map(({ contextTokens }) => contextTokens);
    expect(Math.max(...alone)).toBeLessThan(Math.max(...lengthsOn('cuda-24')));
  });
});

describe('shards', () => {
  it('share a trunk across lengths where their table is the same, whatever the method: dynamic-ntk below the trained context', async () => {
    const lengthsOf = async (...set: string[]) => {
      const { spec, resolved } = await demoSweep('methods=[{name: dynamic-ntk, factor: 2}]', 'continualPretrainContextTokens=[null]', 'tasks[0].seeds=[1]', ...set);
      const plan = buildPlan(spec, resolved, new Map());
      const byKey = new Map(plan.cells.map(({ key, contextTokens }) => [key, contextTokens]));
      return plan.shards.map(({ cellKeys }) => [...new Set(cellKeys.map((key) => byKey.get(key)))].join());
    };
    // The starter models are trained at 128 tokens.
    expect(await lengthsOf('contextTokens=[32, 64, 96, 128, 256, 512]')).toEqual(['32,64,96,128', '256', '512']);
    const lists = JSON.stringify(Array(16).fill(1));
    expect(await lengthsOf('contextTokens=[64, 128, 256, 512]', `methods=[{name: longrope, factor: 8, shortFactor: ${lists}, longFactor: ${JSON.stringify(Array(16).fill(2))}}]`)).toEqual(['64,128', '256,512']);
  });

  it('of a device that keeps nothing hold prompts up to the same bound', async () => {
    const plan = await large('deviceClass=cuda-141');
    const tokens = plan.shards.map(({ cost }) => cost.distinctTokens);
    expect(Math.max(...tokens)).toBe(3 * 131_072);
    expect(plan.shards.every(({ cost }) => cost.distinctTokens === cost.promptTokens)).toBe(true);
  });
});

describe('a plan without weights', () => {
  it('is provisional: its keys are those of no weights', async () => {
    const plan = await large();
    expect(plan.arms.map(({ checkpoint }) => checkpoint.provisional)).toEqual([true, true, true]);
    expect(plan.arms[0]?.checkpoint).toMatchObject({ weightFormat: 'unknown', folder: path.resolve('models/not-here') });
    expect(plan.counts.total).toBe(3 * 2 * 3);
  });

  it('takes arms whose folders are missing for what they will be', async () => {
    const plan = await large('continualPretrainContextTokens=[4096, 32768]', 'model.continued=../models/{method}/{length}', 'methods=[{name: ntk, base: 1e6}]');
    expect(plan.arms.map(({ label, checkpoint }) => `${label} ${String(checkpoint.provisional)} ${path.basename(checkpoint.folder)}`)).toEqual([
      'ntk base 1000000, continued at 4096 true 4096',
      'ntk base 1000000, continued at 32768 true 32768',
    ]);
    expect(new Set(plan.arms.map(({ checkpoint }) => checkpoint.weightsId)).size).toBe(2);
    const ofTwoMethods = await large('continualPretrainContextTokens=[4096]', 'model.continued=../models/{method}/{length}', 'methods=[{name: pi, factor: 8}, {name: ntk, base: 1e6}]');
    expect(ofTwoMethods.arms).toHaveLength(2);
  });

  it('needs a config.json, and says so where there is none', async () => {
    const error = await refusal(large('model.config=../models/nope'));
    expect(error.code).toBe('CHECKPOINT_MISSING');
    const named = await refusal(large('model={name: x, base: "registry:nobody"}'));
    expect(named.problems[0]?.what).toBe('it is not one of smollm2-135m');
    const unfetched = await refusal(large('model={name: x, base: "registry:smollm2-135m"}'));
    expect(unfetched.problems[0]?.mend).toBe('Run ropesweep model fetch smollm2-135m.');
  });
});

describe('a base in a GGUF file', () => {
  it('is planned like a folder, with the format of its weights', async () => {
    const set = [
      'model={name: gguf, base: ../tests/golden/gguf/llama-gqa-q4_1.gguf}', 'methods=[none]', 'continualPretrainContextTokens=[null]', 'contextTokens=[64]',
      'tasks=[{kind: perplexity, documents: {kind: haystack, haystack: {kind: markov, file: ../models/starter/filler.json}}}]',
    ];
    const { spec, resolved } = await demoSweep(...set);
    const plan = buildPlan(spec, resolved, new Map());
    expect(plan.arms[0]?.checkpoint).toMatchObject({ weightFormat: 'q4_1', folder: path.resolve('tests/golden/gguf/llama-gqa-q4_1.gguf') });
    expect([plan.dtype, plan.counts.total]).toEqual(['f32', 1]);
    expect((await demoSweep(...set, 'deviceClass=cuda-24')).resolved.dtype).toBe('f16');
  });
});
