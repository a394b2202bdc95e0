import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Refinement, RefinementTotals } from '../../domain/refinement.js';
import { packageFile } from '../../infra/packageRoot.js';
import { finished, kill, openPlace, processesOf, waitFor, type Ended, type Place, type RunningCommand } from './command.js';

/** Three arms, one of them with a table for every length; 36 cells in the grid. */
function writeSweep(folder: string): string {
  const models = packageFile('models', 'starter');
  const file = join(folder, 'frontier.yaml');
  writeFileSync(
    file,
    `name: frontier
model: {name: starter, base: ${models}/base}
methods: [none, {name: yarn, factor: 8}, {name: dynamic-ntk, factor: 4}]
contextTokens: [64, 512, 2048]
tasks:
  - kind: needle
    depths: [0, 1]
    seeds: [1, 2]
    haystack: {kind: markov, file: ${models}/filler.json}
    needle: {kind: symbols}
    refine: {toleranceTokens: 32, threshold: 0.5, maximumSeeds: 8}
`,
  );
  return file;
}

const GRID_CELLS = 36;
const TOLERANCE = 32;

let undisturbed: Place;
let disturbed: Place;
beforeAll(async () => {
  [undisturbed, disturbed] = await Promise.all([openPlace(), openPlace()]);
});
afterAll(() => {
  undisturbed.remove();
  disturbed.remove();
});

const rowsOf = async (place: Place): Promise<string> => {
  const { code, stdout, stderr } = await place.run(['export', 'frontier', '--format', 'csv', '--results-only']);
  expect(code, stderr).toBe(0);
  return stdout;
};

const rounds = (command: RunningCommand): number => command.events().filter(({ event }) => event === 'extended').length;
const totalsOf = (ended: Ended): RefinementTotals => (finished(ended) as unknown as { refinement: RefinementTotals }).refinement;

describe('a refined sweep', () => {
  it('is told by plan with what it may take at most, before anything was run', async () => {
    const { code, stdout, stderr } = await undisturbed.run(['plan', writeSweep(undisturbed.folder)]);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('at most 128 cells and 6 random ones an arm');
  });

  it('is not left alone: the command leads its rounds', async () => {
    const { code, stderr } = await undisturbed.run(['run', writeSweep(undisturbed.folder), '--detach']);
    expect(code).toBe(2);
    expect(stderr).toContain('the command chooses the cells of each round');
  });

  it('finds the frontier of every arm within the tolerance, with far fewer cells than the full grid', async () => {
    const ended = await undisturbed.run(['run', writeSweep(undisturbed.folder), '--json']);
    expect(ended.code, ended.stderr).toBe(0);
    const { state, cells } = finished(ended);
    const totals = totalsOf(ended);
    expect(state).toBe('done');
    expect(totals).toMatchObject({ frontiers: 3, found: 3, fullGridCells: 3 * 63 * 2 * 8, cells: cells['measured'] });
    expect(totals.cells).toBeGreaterThan(GRID_CELLS);
    expect(totals.cells * 4).toBeLessThan(totals.fullGridCells);
    expect(totals.flops * 4).toBeLessThan(totals.fullGridFlops);

    const report = await undisturbed.run(['report', 'frontier', '--json']);
    const { refinement, arms } = JSON.parse(report.stdout) as { refinement: Refinement; arms: { reach: { contextTokens: number } | null }[] };
    expect(refinement[0]?.arms).toHaveLength(3);
    for (const { frontiers } of refinement[0]?.arms ?? []) {
      const [{ passes, fails } = { passes: null, fails: null }] = frontiers;
      if (passes === null) throw new Error('every arm passes at 64 tokens');
      expect(passes.passed / passes.n).toBeGreaterThanOrEqual(0.5);
      if (fails === null) continue;
      expect(fails.contextTokens - passes.contextTokens).toBeLessThanOrEqual(TOLERANCE);
      expect(fails.passed / fails.n).toBeLessThan(0.5);
    }
    // dynamic-ntk grows with the length: it has a frontier beyond the longest.
    expect(refinement[0]?.arms.map(({ frontiers }) => frontiers[0]?.fails === null)).toEqual([false, false, true]);
    expect(refinement[0]?.arms[2]?.frontiers[0]?.passes?.contextTokens).toBe(2048);
    // Heat maps and reach stay those of the grid.
    expect(arms.map(({ reach }) => reach?.contextTokens ?? 64)).toEqual(arms.map(() => expect.toBeOneOf([64, 512, 2048]) as number));
    const rows = await rowsOf(undisturbed);
    expect(rows.trim().split('\n')).toHaveLength(totals.cells + 1);
    expect([...new Set(rows.trim().split('\n').slice(1).map((row) => /,(grid|refine|audit),/.exec(row)?.[1]))].sort()).toEqual(['audit', 'grid', 'refine']);
  }, 300_000);

  it('computes nothing when the same file is run again, and says what it found before', async () => {
    const before = await rowsOf(undisturbed);
    const ended = await undisturbed.run(['run', writeSweep(undisturbed.folder), '--json', '--no-report']);
    expect(ended.code, ended.stderr).toBe(0);
    const { revision, cells } = finished(ended);
    expect(revision).toBe(1);
    expect(cells).toMatchObject({ measured: 0, cached: totalsOf(ended).cells });
    expect(await rowsOf(undisturbed)).toBe(before);
    const plan = await undisturbed.run(['plan', writeSweep(undisturbed.folder)]);
    expect(plan.stdout).toContain('3 of 3 frontiers found');
  });

  it('killed between and within rounds, and run again, gives the rows of an undisturbed run', async () => {
    const file = writeSweep(disturbed.folder);
    for (const after of [1, 3]) {
      const run = disturbed.start(['run', file, '--json', '--slots', '1']);
      await waitFor(`round ${after}`, () => rounds(run) >= after, 180_000);
      kill(run.pid);
      await run.ended;
      await waitFor('the end of everything it started', () => processesOf(disturbed.folder).length === 0, 60_000);
    }
    const stopped = disturbed.start(['run', file, '--json']);
    await waitFor('one more round', () => rounds(stopped) >= 1, 180_000);
    stopped.child.kill('SIGINT');
    expect([0, 3]).toContain((await stopped.ended).code);

    const ended = await disturbed.run(['run', file, '--json']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(finished(ended)).toMatchObject({ state: 'done', revision: 1 });
    expect(await rowsOf(disturbed)).toBe(await rowsOf(undisturbed));
  }, 600_000);
});
