import { describe, expect, it } from 'vitest';
import type { CellKey } from '../../domain/ids.js';
import type { KnownCell } from '../../domain/ports.js';
import type { CellState } from '../../domain/states.js';
import { layGrid } from '../../planner/grid.js';
import { buildPlan } from '../../planner/plan.js';
import { MAXIMUM_CELLS, MAXIMUM_DISTINCT_TOKENS } from '../../planner/shards.js';
import { demoSweep, wholeDemo } from './demoSweep.js';

const NOTHING: ReadonlyMap<CellKey, KnownCell> = new Map();
const knows = (keys: readonly CellKey[], state: CellState, reason: string | null = null) => new Map(keys.map((key) => [key, { state, reason }]));

describe('the plan of the demo', () => {
  it('has 10 arms, 600 needle and 20 attention cells, and lists plain RoPE on continued checkpoints as excluded', async () => {
    const { spec, resolved } = await wholeDemo();
    const plan = buildPlan(spec, resolved, NOTHING);
    expect(plan.arms.map((arm) => arm.label)).toEqual([
      'none',
      'pi 8', 'pi 8, continued at 256', 'pi 8, continued at 1024',
      'ntk 8', 'ntk 8, continued at 256', 'ntk 8, continued at 1024',
      'yarn 8', 'yarn 8, continued at 256', 'yarn 8, continued at 1024',
    ]);
    expect(plan.counts).toEqual({ total: 620, new: 620, cached: 0, failed: 0, infeasible: 0, excluded: 124 });
    expect(plan.excluded.map((excluded) => ('method' in excluded ? [excluded.method, excluded.continualPretrainContextTokens, excluded.cells] : excluded))).toEqual([
      ['none', 256, 62],
      ['none', 1024, 62],
    ]);
    expect(plan.cost.promptTokens).toBe(10 * 2 * 5 * (128 + 256 + 512 + 768 + 1024 + 1536) + 10 * 3 * (128 + 512));
    expect(plan.arms.filter(({ checkpoint }) => checkpoint.training?.tokens === 614_000)).toHaveLength(5);
    expect(plan.arms.find(({ label }) => label === 'pi 8, continued at 1024')?.checkpoint.training).toEqual({ seed: 1, tokens: 1_380_000 });
  });

  it('is a plain value, equal each time it is made', async () => {
    const [first, second] = [await demoSweep(), await demoSweep()];
    const plan = buildPlan(first.spec, first.resolved, NOTHING);
    expect(buildPlan(second.spec, second.resolved, NOTHING)).toEqual(plan);
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });

  it('puts every new cell into exactly one shard, of its own arm', async () => {
    const { spec, resolved } = await demoSweep();
    const plan = buildPlan(spec, resolved, NOTHING);
    expect(plan.shards.flatMap((shard) => shard.cellKeys).toSorted()).toEqual(plan.cells.map((cell) => cell.key).toSorted());
    const armOf = new Map(plan.cells.map((cell) => [cell.key, cell.armId]));
    for (const shard of plan.shards) expect(new Set(shard.cellKeys.map((key) => armOf.get(key)))).toEqual(new Set([shard.armId]));
    expect(new Set(plan.shards.map((shard) => shard.id)).size).toBe(plan.shards.length);
  });
});

describe('a plan', () => {
  it('computes only what the store does not know, and says why the rest is not', async () => {
    const { spec, resolved } = await demoSweep();
    const keys = [...layGrid(resolved)].flatMap(({ keys }) => keys);
    const known = new Map([
      ...knows(keys.slice(0, 100), 'measured'),
      ...knows(keys.slice(100, 110), 'diverged'),
      ...knows(keys.slice(110, 113), 'infeasible', 'needs 90 GB'),
      ...knows(keys.slice(113, 115), 'failed', 'SLOT_CRASHED after 5 attempts'),
    ]);
    const plan = buildPlan(spec, resolved, known);
    expect(plan.counts).toEqual({ total: 600, new: 485, cached: 110, failed: 2, infeasible: 3, excluded: 120 });
    expect(plan.shards.flatMap((shard) => shard.cellKeys).toSorted()).toEqual(keys.slice(115).toSorted());
    expect(plan.cells[111]?.reason).toBe('needs 90 GB');
    const all = buildPlan(spec, resolved, knows(keys, 'measured'));
    expect([all.shards.length, all.counts.new, all.cost.flops]).toEqual([0, 0, 0]);
  });

  it('is one revision whatever is known, and another when cells or the way they run change', async () => {
    const { spec, resolved } = await demoSweep();
    const { digest } = buildPlan(spec, resolved, NOTHING);
    const keys = [...layGrid(resolved)].flatMap(({ keys }) => keys);
    expect(buildPlan(spec, resolved, knows(keys.slice(0, 9), 'measured')).digest).toBe(digest);
    const digestWith = async (...set: string[]) => {
      const other = await demoSweep(...set);
      return buildPlan(other.spec, other.resolved, NOTHING).digest;
    };
    for (const same of ['concurrency=3', 'description=x', 'cellLimit=700', 'contextTokens=[1536,1024,768,512,256,128]']) expect(await digestWith(same), same).toBe(digest);
    for (const other of ['contextTokens=[128]', 'maximumAttempts=2', 'deviceClass=cuda-80', 'mixFingerprints=allow', 'name=other']) expect(await digestWith(other), other).not.toBe(digest);
  });

  it('of a longer axis plans only the new cells, the old ones keep their keys', async () => {
    const small = await demoSweep();
    const large = await demoSweep('contextTokens=[128,256,512,768,1024,1536,2048]');
    const known = knows([...layGrid(small.resolved)].flatMap(({ keys }) => keys), 'measured');
    const plan = buildPlan(large.spec, large.resolved, known);
    expect(plan.counts).toMatchObject({ total: 700, new: 100, cached: 600 });
    expect(new Set(plan.cells.filter((cell) => cell.state === 'planned').map((cell) => cell.contextTokens))).toEqual(new Set([2048]));
  });
});

describe('arms with equal tables', () => {
  it('share their cells, which are computed once: dynamic-ntk within the trained context is plain RoPE', async () => {
    const { spec, resolved } = await demoSweep('methods=[none,{name: dynamic-ntk, factor: 2}]', 'continualPretrainContextTokens=[null]', 'contextTokens=[64,128,256]');
    const plan = buildPlan(spec, resolved, NOTHING);
    const keysOf = (arm: number, contextTokens: number) => plan.cells.filter((cell) => cell.armId === plan.arms[arm]?.id && cell.contextTokens === contextTokens).map((cell) => cell.key);
    for (const length of [64, 128]) expect(keysOf(1, length)).toEqual(keysOf(0, length));
    expect(keysOf(1, 256)).not.toEqual(keysOf(0, 256));
    const computed = plan.shards.flatMap((shard) => shard.cellKeys);
    expect(new Set(computed).size).toBe(computed.length);
    expect(new Set(computed)).toEqual(new Set(plan.cells.map((cell) => cell.key)));
    expect(new Set(plan.shards.map((shard) => shard.id)).size).toBe(plan.shards.length);
  });
});

describe('shards', () => {
  it('keep all depths of a length and seed together and stay under their bounds unless that is one length alone', async () => {
    const { spec, resolved } = await demoSweep('contextTokens=[64,128,256,512,1024,2048,4096,8192]', 'tasks[0].seeds=[1,2,3,4,5]', 'methods=[none]');
    const plan = buildPlan(spec, resolved, NOTHING);
    const cellOf = new Map(plan.cells.map((cell) => [cell.key, cell]));
    const home = new Map<string, string>();
    for (const shard of plan.shards) {
      const points = new Set<string>();
      for (const key of shard.cellKeys) {
        const cell = cellOf.get(key);
        if (cell === undefined) throw new Error('a shard holds an unplanned cell');
        const point = `${cell.contextTokens}/${'seed' in cell.axes ? cell.axes.seed : ''}`;
        points.add(point);
        expect(home.get(point) ?? shard.id).toBe(shard.id);
        home.set(point, shard.id);
      }
      expect(shard.cellKeys.length).toBeLessThanOrEqual(MAXIMUM_CELLS);
      if (points.size > 1) expect(shard.cost.distinctTokens).toBeLessThanOrEqual(MAXIMUM_DISTINCT_TOKENS);
    }
  });

  it('hold many seeds where prompts are short, so that orchestration is paid for many cells at once', async () => {
    const seeds = Array.from({ length: 40 }, (_, seed) => seed);
    const { spec, resolved } = await demoSweep('contextTokens=[64]', `tasks[0].seeds=[${seeds.join(',')}]`, 'methods=[none]');
    expect(buildPlan(spec, resolved, NOTHING).shards.map((shard) => shard.cellKeys.length)).toEqual([200]);
  });
});
