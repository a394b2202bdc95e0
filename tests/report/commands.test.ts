import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { compareCommand } from '../../cli/compare.js';
import { exportCommand } from '../../cli/export.js';
import { reportCommand } from '../../cli/report.js';
import type { comparisonJson } from '../../report/comparison/json.js';
import type { ReportJson } from '../../report/json.js';
import { openStore } from '../../results/store.js';
import { freshDatabase, type TestDatabase } from '../stack/postgres.js';
import { fixturePlan, fixtureSpec, runFixture, type FixtureGrid } from '../stack/seed.js';

let database: TestDatabase;
let folder: string;
beforeAll(async () => {
  database = await freshDatabase();
  folder = await mkdtemp(join(tmpdir(), 'ropesweep-report-'));
  const store = await openStore(database.url);
  const grid: FixtureGrid = { name: 'reported', methods: [{ name: 'none' }, { name: 'pi', factor: 4 }], contextTokens: [256, 512], depths: [0, 1], seeds: [1, 2] };
  const plan = fixturePlan(grid);
  await store.submit(fixtureSpec(grid), plan);
  await runFixture(store, plan.sweep);
  await store.close();
  vi.stubEnv('DATABASE_URL', database.url);
  vi.stubEnv('ROPESWEEP_HOME', folder);
});
afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
  await database.drop();
});

/** What the command prints on standard output. */
async function printed(command: Command, ...words: string[]): Promise<string> {
  const pieces: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((piece, encoding, done) => {
    pieces.push(typeof piece === 'string' ? piece : Buffer.from(piece).toString());
    const written = typeof encoding === 'function' ? encoding : done;
    written?.();
    return true;
  });
  await command.exitOverride().parseAsync(words, { from: 'user' });
  vi.restoreAllMocks();
  return pieces.join('');
}

describe('ropesweep report', () => {
  it('prints the heat maps and writes the HTML report into the home folder', async () => {
    const text = await printed(reportCommand(), 'reported');
    expect(text).toContain('reported, revision 1, done: 2 arms, 16 cells (16 measured)');
    expect(text).toContain('method continued scale');
    expect(await readFile(join(folder, 'reports', 'reported.html'), 'utf8')).toMatch(/^<!doctype html>/);
  });

  it('prints JSON alone, and HTML where --out says', async () => {
    const out = join(folder, 'deep', 'own.html');
    const report = JSON.parse(await printed(reportCommand(), 'reported', '--json', '--out', out)) as ReportJson;
    expect(report.arms.map(({ recalls }) => recalls.length)).toEqual([2, 2]);
    expect(await readFile(out, 'utf8')).toContain('</html>');
  });

  it('writes its figures where --figures says, and lists them in its JSON', async () => {
    const figures = join(folder, 'figures');
    const report = JSON.parse(await printed(reportCommand(), 'reported', '--json', '--figures', figures)) as { figures: { name: string; svg: string; png: string }[] };
    const names = report.figures.map(({ name }) => name);
    expect(names.slice(0, 2)).toEqual(['needle-none', 'needle-pi']);
    for (const { svg, png } of report.figures) {
      expect(await readFile(svg, 'utf8')).toMatch(/^<\?xml .*\n<svg /);
      expect((await readFile(png)).subarray(1, 4).toString()).toBe('PNG');
    }
    expect((await readdir(figures)).sort()).toEqual(names.flatMap((name) => [`${name}.png`, `${name}.svg`]).sort());
    expect(await printed(reportCommand(), 'reported', '--figures', figures)).toContain(`${names.length} of them as SVG and PNG`);
  });

  it('refuses a sweep that the store does not know', async () => {
    await expect(printed(reportCommand(), 'unheard-of')).rejects.toMatchObject({ code: 'SWEEP_UNKNOWN', exitCode: 2 });
  });

  it('says which file it cannot write', async () => {
    await expect(printed(reportCommand(), 'reported', '--out', join(folder, 'reports', 'reported.html', 'below-a-file.html'))).rejects.toMatchObject({
      code: 'OUTPUT_UNWRITABLE',
      problems: [{ where: expect.stringContaining('below-a-file.html') as string }],
    });
  });
});

describe('ropesweep compare', () => {
  it('prints two arms side by side, and the same as JSON', async () => {
    const text = await printed(compareCommand(), 'reported:none', 'reported:pi');
    expect(text).toContain('1 pair of arms');
    expect(text).toMatch(/recall b - a/);
    const { arms, differing } = JSON.parse(await printed(compareCommand(), 'reported', 'reported', '--json')) as ReturnType<typeof comparisonJson>;
    expect(arms.map(({ a, needle }) => [a.arm, needle[0]?.sameMeasurements, needle[0]?.recall?.difference])).toEqual([['none', 8, 0], ['pi', 8, 0]]);
    expect(differing.spec).toEqual([]);
  });

  it('refuses a sweep and an arm that are not there', async () => {
    await expect(printed(compareCommand(), 'reported', 'unheard-of')).rejects.toMatchObject({ code: 'SWEEP_UNKNOWN', exitCode: 2 });
    await expect(printed(compareCommand(), 'reported:yarn 8', 'reported')).rejects.toMatchObject({ code: 'OPTION_INVALID', exitCode: 2, problems: [{ what: expect.stringContaining('it has "none", "pi"') as string }] });
  });
});

describe('ropesweep export', () => {
  it('prints and writes the same rows', async () => {
    const out = join(folder, 'reported.csv');
    const text = await printed(exportCommand(), 'reported', '--results-only');
    await printed(exportCommand(), 'reported', '--results-only', '--out', out);
    expect(text.trimEnd().split('\n')).toHaveLength(17);
    expect(await readFile(out, 'utf8')).toBe(text);
  });

  it('has one JSON object a cell as JSON Lines', async () => {
    const lines = (await printed(exportCommand(), 'reported', '--format', 'jsonl')).trimEnd().split('\n');
    expect(lines).toHaveLength(16);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ sweep: 'reported', method: 'none', contextTokens: 256, depth: 0, seed: 1, state: 'measured' });
  });

  it('writes Parquet to a file and to a pipe, but not to a terminal', async () => {
    const out = join(folder, 'reported.parquet');
    await printed(exportCommand(), 'reported', '--format', 'parquet', '--out', out);
    const file = await readFile(out);
    expect([file.subarray(0, 4).toString(), file.subarray(-4).toString()]).toEqual(['PAR1', 'PAR1']);
    const { isTTY } = process.stdout;
    process.stdout.isTTY = true;
    try {
      await expect(printed(exportCommand(), 'reported', '--format', 'parquet')).rejects.toMatchObject({ code: 'OPTION_INVALID', exitCode: 2 });
    } finally {
      process.stdout.isTTY = isTTY;
    }
  });

  it('refuses a format it does not have', async () => {
    const command = exportCommand().configureOutput({ writeErr: () => undefined });
    await expect(printed(command, 'reported', '--format', 'xlsx')).rejects.toMatchObject({ code: 'commander.invalidArgument' });
  });
});
