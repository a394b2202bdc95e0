import { describe, expect, it } from 'vitest';
import type { CellKey } from '../../domain/ids.js';
import type { KnownScore } from '../../domain/ports.js';
import { normalQuantile } from '../../domain/normalQuantile.js';
import { buildPlan } from '../../planner/plan.js';
import { parseSpec } from '../../planner/parse.js';
import { auditCells, maximumCells, seedPool, type RefinedSpec, type RefinePoint } from '../../planner/refineDesign.js';
import { searchFrontier, type CellOutcome } from '../../planner/refineFrontier.js';
import { SweepRefinement, type RefineStep } from '../../planner/refineSweep.js';
import { demoSweep } from './demoSweep.js';
import { crossing, design, GRID, logistic, play, type PassCurve } from './refineSimulation.js';

/** Every cell up to a length passes, no longer one does. */
const stepAt = (last: number): PassCurve => (length) => (length <= last ? 1 : 0);

describe('the normal quantile', () => {
  it('has the values of the tables, and mirrors', () => {
    // Abramowitz and Stegun, Handbook of Mathematical Functions, table 26.5.
    for (const [probability, z] of [[0.5, 0], [0.9, 1.28155], [0.975, 1.95996], [0.99, 2.32635], [0.999, 3.09023], [0.99999, 4.26489]] as const) {
      expect(normalQuantile(probability)).toBeCloseTo(z, 5);
      expect(normalQuantile(1 - probability)).toBeCloseTo(-z, 5);
    }
    expect(() => normalQuantile(1)).toThrow(RangeError);
  });
});

describe('the design of a refinement', () => {
  it('has neighbours no further apart than the tolerance, between the shortest and the longest length of the task', () => {
    const { fine } = design({ toleranceTokens: 100 }, { grid: [130, 512, 1990] });
    expect(fine.slice(0, 4)).toEqual([130, 200, 300, 400]);
    expect(fine.slice(-2)).toEqual([1900, 1990]);
    expect(fine).toContain(512);
    expect(Math.max(...fine.slice(1).map((length, at) => length - (fine[at] ?? 0)))).toBeLessThanOrEqual(100);
  });

  it('doubles the seeds at each look, from those of the task to all, and widens the interval by their number', () => {
    const looked = design({ maximumSeeds: 20 }, { seeds: [7, 3, 5] });
    expect(looked.looks).toEqual([3, 6, 12, 20]);
    expect(looked.seeds.slice(0, 5)).toEqual([3, 5, 7, 8, 9]);
    expect(looked.seeds).toHaveLength(20);
    expect(looked.z).toBeCloseTo(normalQuantile(1 - 0.05 / 4), 10);
    expect(design({ maximumSeeds: 2 }).looks).toEqual([2]);
    expect(design({ maximumSeeds: 2 }).z).toBeCloseTo(normalQuantile(0.95), 10);
  });

  it('draws the audit from the fine grid without the grid, evenly, the same every time, before anything is measured', () => {
    const refined = design({ auditShare: 0.5, maximumCells: 4_000 });
    expect(refined.audit).toHaveLength(2_000);
    expect(design({ auditShare: 0.5, maximumCells: 4_000 }).audit).toEqual(refined.audit);
    expect(new Set(refined.audit.map((point) => JSON.stringify(point))).size).toBe(2_000);
    expect(refined.audit.filter(({ contextTokens, seed }) => GRID.includes(contextTokens) && seed <= 2)).toEqual([]);
    const shorter = refined.audit.filter(({ contextTokens }) => contextTokens <= 8192).length;
    // Half of the lengths are shorter than the middle: 5 standard deviations of 2,000 throws.
    expect(Math.abs(shorter / 2_000 - refined.fine.filter((length) => length <= 8192).length / refined.fine.length)).toBeLessThan(0.056);
    expect(design({ auditShare: 0 }).audit).toEqual([]);
  });

  it('is a refined task only where the file says so', () => {
    expect(seedPool({ seeds: [4, 2], refine: undefined })).toEqual([2, 4]);
  });
});

describe('the search of a frontier', () => {
  it('brackets a sharp one by two neighbours of the fine grid, certain at both ends, in a hundredth of the full grid', () => {
    const refined = design();
    for (const last of [700, 1024, 1500, 3001, 8191, 12_345]) {
      const { state, passes, fails, cells } = play(refined, stepAt(last), 1);
      expect(state).toBe('found');
      expect(passes?.contextTokens).toBeLessThanOrEqual(last);
      expect(fails?.contextTokens).toBeGreaterThan(last);
      expect((fails?.contextTokens ?? 0) - (passes?.contextTokens ?? 0)).toBeLessThanOrEqual(64);
      expect([passes?.certain, fails?.certain]).toEqual([true, true]);
      expect(cells.length).toBeLessThan((refined.fine.length * refined.depths.length * refined.seeds.length) / 100);
    }
  });

  it('adds seeds only at lengths whose interval straddles the threshold', () => {
    const { tested, fails } = play(design(), stepAt(3000), 1);
    const first = 10;
    for (const length of tested) if (length.n > first) expect(length.contextTokens).toBe(tested.filter(({ contextTokens }) => contextTokens <= 3000).at(-1)?.contextTokens);
    // None of 10 lies below 90 % for certain; 10 of 10 does not lie above.
    expect(fails).toMatchObject({ n: first, certain: true });
    expect(tested.find(({ contextTokens }) => contextTokens === 512)).toMatchObject({ n: first, passed: first, certain: false });
  });

  it('has one end where every length passes, or none does', () => {
    expect(play(design(), () => 1, 1)).toMatchObject({ state: 'found', passes: { contextTokens: 16_384, certain: true }, fails: null });
    expect(play(design(), () => 0, 1)).toMatchObject({ state: 'found', passes: null, fails: { contextTokens: 512, certain: true } });
  });

  it('asks for the same cells whatever is known already: what is unknown is what is left of one search', () => {
    const refined = design({ threshold: 0.5 });
    const full = play(refined, logistic(3000, 300), 5);
    const known = new Map<string, CellOutcome>();
    const asked: string[] = [];
    // One cell becomes known at a time.
    for (;;) {
      let next: RefinePoint | undefined;
      const search = searchFrontier(refined, refined.depths, (point) => {
        const found = known.get(JSON.stringify(point));
        if (found === undefined) next ??= point;
        return found;
      });
      if (search.state !== 'searching' || next === undefined) break;
      asked.push(JSON.stringify(next));
      known.set(JSON.stringify(next), next.contextTokens < 3000 ? 'passed' : 'failed');
    }
    const gridCells = GRID.length * 10;
    const calm = play(refined, (length) => (length < 3000 ? 1 : 0), 1);
    expect(asked.slice(gridCells)).toEqual(calm.cells.map((point) => JSON.stringify(point)));
    expect(full.state).toBe('found');
  });

  it('that moves back where an end changes sides does not lose the true frontier', () => {
    const refined = design({ threshold: 0.5 });
    // The first look at 2,048 has bad luck: 4 of 10; the seeds that follow all pass.
    const unlucky = ({ contextTokens, depth, seed }: RefinePoint): CellOutcome => {
      if (contextTokens === 2048 && seed <= 2) return depth <= 0.25 ? 'passed' : 'failed';
      return contextTokens <= 5000 ? 'passed' : 'failed';
    };
    const search = searchFrontier(refined, refined.depths, unlucky);
    expect(search.passes?.contextTokens).toBe(4992);
    expect(search.fails?.contextTokens).toBe(5056);
    expect(search.tested.find(({ contextTokens }) => contextTokens === 2048)?.n).toBeGreaterThan(10);
  });

  it('tells of lengths of the grid that pass again beyond it', () => {
    const { passes, fails, passesAgain } = play(design(), (length) => (length <= 1500 || (length > 3000 && length < 9000) ? 1 : 0), 1);
    expect([passes?.contextTokens, fails?.contextTokens]).toEqual([1472, 1536]);
    expect(passesAgain.map(({ contextTokens, certain }) => [contextTokens, certain])).toEqual([[4096, true], [8192, true]]);
  });

  it('ends at maximumCells with the bracket that it has, and says so', () => {
    const { state, passes, fails, cells } = play(design({ maximumCells: 30 }), stepAt(3000), 1);
    expect(state).toBe('limited');
    expect(cells.length).toBeLessThanOrEqual(30);
    expect(passes?.contextTokens).toBeLessThanOrEqual(3000);
    expect(fails?.contextTokens).toBeGreaterThan(3000);
  });

  it('goes round lengths that have no numbers, and says where they would decide', () => {
    const refined = design();
    const search = searchFrontier(refined, refined.depths, ({ contextTokens }) => {
      if (contextTokens > 2900 && contextTokens < 3100) return 'none';
      return contextTokens <= 3000 ? 'passed' : 'failed';
    });
    expect(search).toMatchObject({ state: 'unmeasured', passes: { contextTokens: 2880 }, fails: { contextTokens: 3136 } });
    expect(searchFrontier(refined, refined.depths, () => 'none')).toMatchObject({ state: 'unmeasured', passes: null, fails: null });
  });

  it('counts 9 of 10 as 90 %', () => {
    const refined = design({ maximumSeeds: 2 });
    const search = searchFrontier(refined, refined.depths, ({ contextTokens, depth, seed }) => (contextTokens <= 1024 && !(depth === 0 && seed === 1) ? 'passed' : 'failed'));
    expect(search.passes).toMatchObject({ contextTokens: 1024, passed: 9, n: 10, certain: false });
  });
});

describe('errors of the search, simulated with cells that are drawn one by one', () => {
  it('a length just below the threshold is called passing for certain in at most 5 % of 1,000 tests, whatever the number of looks', () => {
    for (const [maximumSeeds, threshold] of [[2, 0.5], [16, 0.5], [64, 0.5], [16, 0.9]] as const) {
      const refined = { ...design({ maximumSeeds, threshold }, { grid: [512, 1024] }), fine: [512, 1024] };
      let wrong = 0;
      for (let stream = 0; stream < 1_000; stream += 1) {
        const { tested } = play(refined, (length) => (length === 512 ? 1 : threshold - 0.001), stream);
        const [, longer] = tested;
        if (longer !== undefined && longer.certain && longer.interval.low >= threshold) wrong += 1;
      }
      console.log(`threshold ${threshold}, ${refined.looks.length} looks: wrongly certain in ${(wrong / 10).toFixed(1)} %`);
      // The Wilson interval is approximate at few cells: of one look at 10, 8 or more pass with 5.5 %. Beside that, 3 standard deviations.
      expect(wrong / 1_000).toBeLessThan(refined.looks.length === 1 ? 0.076 : 0.05);
    }
  }, 60_000);

  it('the bracket holds the crossing of steep curves; on gentle ones its ends lie close to the threshold', () => {
    const runs = 100;
    for (const threshold of [0.5, 0.9]) {
      for (const width of [1, 100, 400]) {
        const refined = design({ threshold });
        let [outside, cells] = [0, 0];
        const distances: number[] = [];
        for (let stream = 0; stream < runs; stream += 1) {
          const centre = 3000 + ((stream * 7919) % 10_000);
          const curve = logistic(centre, width);
          const { passes, fails, cells: taken } = play(refined, curve, stream);
          const at = crossing(centre, width, threshold);
          const [low, high] = [passes?.contextTokens ?? 0, fails?.contextTokens ?? Infinity];
          if (at < low || at > high) outside += 1;
          cells += taken.length;
          distances.push(Math.max(0, threshold - curve(low), high === Infinity ? 0 : curve(high) - threshold));
        }
        const worst = distances.sort((a, b) => a - b)[Math.floor(0.95 * runs)] ?? 1;
        console.log(`threshold ${threshold}, width ${width}: outside ${((100 * outside) / runs).toFixed(1)} %, an end on the wrong side by at most ${worst.toFixed(3)} in 95 %, ${(cells / runs).toFixed(0)} cells`);
        if (width === 1) expect(outside / runs).toBeLessThan(0.02);
        expect(worst).toBeLessThan(0.12);
      }
    }
  }, 60_000);
});

const REFINED = ['tasks[0].refine={toleranceTokens: 32, maximumSeeds: 8}', 'methods=[none, {name: yarn, factor: 8}, {name: dynamic-ntk, factor: 4}]', 'continualPretrainContextTokens=[null]', 'contextTokens=[64, 128, 512, 1536]'];

const score = (passes: boolean): KnownScore => ({ state: 'measured', numbers: { exactMatch: passes, tokenRecall: passes ? 1 : 0, stringRecall: null } });

/** Plays a refinement to its end, cells up to `last` tokens passing. */
function playSweep(refinement: SweepRefinement, last: number): { step: RefineStep; known: Map<CellKey, KnownScore>; rounds: number } {
  const known = new Map<CellKey, KnownScore>();
  const lengthOf = new Map<CellKey, number>();
  for (let rounds = 1; ; rounds += 1) {
    const step = refinement.step(known);
    for (const cell of step.cells) lengthOf.set(cell.key, cell.contextTokens);
    if (step.unknown.length === 0) return { step, known, rounds };
    for (const key of step.unknown) known.set(key, score((lengthOf.get(key) ?? 0) <= last));
  }
}

describe('the refinement of a sweep', () => {
  it('leaves the digest of the plan alone, and a plan without refine what it was', async () => {
    const [plain, refined, finer] = await Promise.all([demoSweep(), demoSweep('tasks[0].refine={toleranceTokens: 32}'), demoSweep('tasks[0].refine={toleranceTokens: 16}')]);
    const digests = [plain, refined, finer].map(({ spec, resolved }) => buildPlan(spec, resolved, new Map()).digest);
    // How a sweep is refined is part of how it is run; what was found is not.
    expect(new Set(digests).size).toBe(3);
    const again = await demoSweep('tasks[0].refine={toleranceTokens: 32}');
    expect(buildPlan(again.spec, again.resolved, new Map([...new SweepRefinement(again.resolved).step(new Map()).cells].map(({ key }) => [key, { state: 'measured' as const, reason: null }]))).digest).toBe(digests[1]);
  });

  it('starts with the audit of every arm, and asks for the grid before it searches', async () => {
    const { resolved } = await demoSweep(...REFINED);
    const { cells, unknown } = new SweepRefinement(resolved).step(new Map());
    const task = resolved.tasks[0]?.spec as RefinedSpec;
    expect(new Set(cells.map(({ origin }) => origin))).toEqual(new Set(['audit']));
    expect(cells).toHaveLength(3 * auditCells(task, [64, 128, 512, 1536]));
    // dynamic-ntk within its trained context is plain RoPE: those cells are one.
    expect(unknown.length).toBeGreaterThan(cells.length);
  });

  it('makes tables for lengths that the plan does not have, packs its cells like all others, and stays within its bound', async () => {
    const { resolved } = await demoSweep(...REFINED);
    const refinement = new SweepRefinement(resolved);
    const { step } = playSweep(refinement, 700);
    const [found] = step.refinement();
    const task = resolved.tasks[0]?.spec as RefinedSpec;
    expect(found?.maximumCells).toBe(maximumCells(task, [64, 128, 512, 1536]));
    expect(found?.maximumCells).toBe((5 + 2) * 5 * 8);
    for (const arm of found?.arms ?? []) {
      expect(arm.cells.refine).toBeLessThanOrEqual(found?.maximumCells ?? 0);
      expect(arm.cells.audit).toBe(found?.auditCells);
      expect(arm.fullGrid.cells).toBe(47 * 5 * 8);
      expect(arm.flops).toBeLessThan(arm.fullGrid.flops);
    }
    expect(new Set(step.cells.map(({ key, arm }) => `${arm}/${key}`)).size).toBe(step.cells.length);
    const shards = refinement.shardsOf(step.cells);
    expect(shards.flatMap(({ cellKeys }) => cellKeys).sort()).toEqual([...new Set(step.cells.map(({ key }) => key))].sort());
    const added = [...refinement.addedTables.values()].map((tables) => Object.keys(tables).length);
    expect(added[0]).toBe(0);
    expect(added[2]).toBeGreaterThan(5);
  });

  it('gives a frontier for each depth where it is asked for', async () => {
    const { resolved } = await demoSweep(...REFINED.slice(1), 'tasks[0].refine={toleranceTokens: 32, maximumSeeds: 8, perDepth: true, threshold: 0.5}');
    const { step } = playSweep(new SweepRefinement(resolved), 700);
    for (const arm of step.refinement()[0]?.arms ?? []) expect(arm.frontiers.map(({ depth }) => depth)).toEqual([0, 0.25, 0.5, 0.75, 1]);
  });

  it('does not search between lengths that the device class cannot hold', async () => {
    const { spec, resolved } = await demoSweep(...REFINED, 'deviceClasses={tiny: {provider: cuda, memoryGiB: 0.0146}}', 'deviceClass=tiny');
    const infeasible = buildPlan(spec, resolved, new Map()).cells.filter(({ state }) => state === 'infeasible').map(({ contextTokens }) => contextTokens);
    expect(Math.max(...infeasible)).toBe(1536);
    const shortest = Math.min(...infeasible);
    const { step } = playSweep(new SweepRefinement(resolved), 2000);
    expect(Math.max(...step.cells.map(({ contextTokens }) => contextTokens))).toBeLessThan(shortest);
  });
});

describe('what a sweep file says of refinement that cannot be', () => {
  const problems = async (...set: string[]): Promise<string> => {
    try {
      await demoSweep(...set);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };

  it('is told with its place', async () => {
    expect(await problems('tasks[0].refine={toleranceTokens: 32}', 'contextTokens=[128]')).toContain('there is one context length (128)');
    expect(await problems('tasks[0].refine={toleranceTokens: 512}')).toContain('nothing to search between them');
    expect(await problems('tasks[0].refine={toleranceTokens: 32, maximumSeeds: 1}')).toContain('1 are fewer than the 2 seeds of the task');
    expect(await problems('tasks[0].refine={toleranceTokens: 32, maximumCells: 9}')).toContain('one context length takes 10 cells');
    expect(await problems('tasks[0].refine={toleranceTokens: 0.5}')).toContain('0.5');
    expect(await problems('tasks[0].refine={toleranceTokens: 32}', 'cellLimit=1000')).toMatch(/refinement may add \d+ cells to the 600 of the grid/);
    expect(await problems('tasks[0].refine={tolerance: 8}')).toContain('tolerance');
  });

  it('is not said of a file that refines nothing', () => {
    const spec = parseSpec('{name: a, model: {name: m, base: b}, methods: [none], contextTokens: [64], tasks: [{kind: needle, depths: [0], haystack: {kind: noise}, needle: {kind: passkey}}]}', { file: 'a.yaml' });
    expect(spec.tasks[0]).not.toHaveProperty('refine');
  });
});
