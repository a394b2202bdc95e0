/**
 * `npm run check:large`: report, open, compare and exports of a sweep of many cells, made up by SQL. Each is the command itself in a
 * process of its own; its time and the largest memory of the process are printed. By hand: a million cells take a quarter of an hour.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Table from 'cli-table3';
import { Command } from 'commander';
import { exitCodeOf, wholeNumber } from '../../infra/commandLine.js';
import { packageFile } from '../../infra/packageRoot.js';
import { LARGE_SWEEP, withLargeStore } from '../dashboards/largeStore.js';

/** Milliseconds between two requests to a page while its report is drawn. */
const ASK_EVERY_MS = 100;

interface Measured {
  readonly what: string;
  readonly seconds: number;
  readonly peakMiB: number;
  readonly note: string;
}

class Commands {
  constructor(
    private readonly databaseUrl: string,
    private readonly folder: string,
  ) {}

  file(name: string): string {
    return join(this.folder, name);
  }

  /** With a file beside it that has its largest memory when it has ended. */
  start(words: readonly string[]): ChildProcess {
    const env = { ...process.env, DATABASE_URL: this.databaseUrl, ROPESWEEP_HOME: this.folder, PEAK_MEMORY_FILE: this.file('peak') };
    return spawn(process.execPath, ['--import', pathToFileURL(packageFile('dist', 'tests', 'report', 'peakMemory.js')).href, packageFile('bin', 'ropesweep.js'), ...words], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  }

  peakMiB(): number {
    return Number(readFileSync(this.file('peak'), 'utf8')) / 1024;
  }

  async time(what: string, words: readonly string[], written: string | null): Promise<Measured> {
    const startMs = Date.now();
    const child = this.start(words);
    child.stdout?.resume();
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`ropesweep ${words.join(' ')} ended with ${code ?? 'a signal'}`);
    return { what, seconds: (Date.now() - startMs) / 1000, peakMiB: this.peakMiB(), note: written === null ? '' : `${(statSync(written).size / 1e6).toFixed(1)} MB` };
  }

  /** Its first report, and the longest that another page took meanwhile. */
  async timeOpen(): Promise<Measured> {
    const child = this.start(['open', '--json']);
    const [line] = (await once(child.stdout ?? child, 'data')) as [Buffer];
    const { url } = JSON.parse(line.toString()) as { url: string };
    const startMs = Date.now();
    let isDrawn = false as boolean;
    const report = fetch(new URL(`/sweeps/${LARGE_SWEEP}/report.html`, url)).then(async (response) => {
      await response.arrayBuffer();
      isDrawn = true;
      if (response.status !== 200) throw new Error(`the report of ropesweep open is ${response.status}`);
    });
    let slowestMs = 0;
    while (!isDrawn) {
      const askedMs = Date.now();
      await (await fetch(new URL('/', url))).arrayBuffer();
      slowestMs = Math.max(slowestMs, Date.now() - askedMs);
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    }
    await report;
    const seconds = (Date.now() - startMs) / 1000;
    child.kill('SIGINT');
    await once(child, 'close');
    return { what: 'open: the first report', seconds, peakMiB: this.peakMiB(), note: `another page meanwhile: at most ${slowestMs} ms` };
  }
}

async function measure(databaseUrl: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ropesweep-large-'));
  const commands = new Commands(databaseUrl, folder);
  const table = new Table({ head: ['what', 'seconds', 'peak MiB', ''], style: { head: [], border: [] }, colAligns: ['left', 'right', 'right', 'left'] });
  const add = ({ what, seconds, peakMiB, note }: Measured): void => {
    table.push([what, seconds.toFixed(1), peakMiB.toFixed(0), note]);
    console.error(`${what}: ${seconds.toFixed(1)} s, ${peakMiB.toFixed(0)} MiB ${note}`);
  };
  try {
    const html = commands.file('report.html');
    add(await commands.time('report', ['report', LARGE_SWEEP, '--out', html], html));
    add(await commands.timeOpen());
    add(await commands.time('compare: two arms', ['compare', `${LARGE_SWEEP}:yarn 1`, `${LARGE_SWEEP}:yarn 2`], null));
    add(await commands.time('compare: whole sweeps', ['compare', LARGE_SWEEP, LARGE_SWEEP], null));
    for (const [rows, format] of [['cells', 'csv'], ['cells', 'jsonl'], ['cells', 'parquet'], ['perplexity', 'csv']] as const) {
      const file = commands.file(`${rows}.${format}`);
      add(await commands.time(`export: ${rows} as ${format}`, ['export', LARGE_SWEEP, '--rows', rows, '--format', format, '--out', file], file));
      rmSync(file);
    }
    console.log(table.toString());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Until Ctrl-C. */
async function stay(databaseUrl: string): Promise<void> {
  console.log(`DATABASE_URL=${databaseUrl} (Ctrl-C ends it)`);
  await once(process, 'SIGINT');
}

try {
  await new Command('npm run check:large --')
    .description('Measure report, open, compare and exports on a generated sweep of many cells.')
    .option('--cells <n>', 'cells of the generated sweep, a multiple of 5,000', wholeNumber('--cells'), 1_000_000)
    .option('--keep', 'measure nothing: leave the store up for tries by hand', false)
    .addHelpText('after', '\nExamples:\n  npm run check:large -- --cells 100000\n  npm run check:large -- --keep')
    .exitOverride()
    .action(({ cells, keep }: { cells: number; keep: boolean }) => withLargeStore(cells, keep ? stay : measure))
    .parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
