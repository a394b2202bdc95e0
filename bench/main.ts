/**
 * `npm run bench -- NAME [--only RATIO...] [--quick] [--json FILE]`: runs one benchmark, prints its figures and ratios, exits 1 where a ratio is short
 * of what is required.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import Table from 'cli-table3';
import { Argument, Command } from 'commander';
import { packageFile } from '../infra/packageRoot.js';
import { engine } from './engine.js';
import { memory } from './memory.js';
import { orchestration } from './orchestration.js';
import type { BenchOptions, BenchResult } from './result.js';

const BENCHMARKS: Readonly<Record<string, (options: BenchOptions) => Promise<BenchResult>>> = { engine, memory, orchestration };

const machine = (): string =>
  `${String(cpus().length)} x ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${String(Math.round(totalmem() / 2 ** 30))} GiB, Node ${process.version}`;

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: packageFile(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

function print({ figures, ratios }: BenchResult): void {
  const table = new Table({ head: ['figure', 'value'], style: { head: [], border: [] }, colAligns: ['left', 'right'] });
  for (const [name, value] of Object.entries(figures)) table.push([name, value.toPrecision(5)]);
  console.log(table.toString());
  for (const [name, { ours, other, unit, against, ratio, required }] of Object.entries(ratios)) {
    const verdict = ratio >= required ? 'ok' : 'SHORT';
    console.log(`${verdict}  ${name}: ${ratio.toFixed(2)} (required ${String(required)}): ${ours.toPrecision(4)} against ${other.toPrecision(4)} ${unit} of ${against}`);
  }
}

await new Command('bench')
  .addArgument(new Argument('<name>', 'which benchmark').choices(Object.keys(BENCHMARKS)))
  .option('--only <names...>', 'measure only what begins with these, e.g. prefill-vs-sdpa@4k or grid', [])
  .option('--quick', 'few rounds and short lengths', false)
  .option('--json <file>', 'also write the result as JSON')
  .action(async (name: string, { json, only, quick }: { json?: string; only: string[]; quick: boolean }) => {
    const result = await BENCHMARKS[name]?.({ only, quick });
    if (result === undefined) return;
    print(result);
    if (json !== undefined) writeFileSync(json, `${JSON.stringify({ name, commit: commit(), machine: machine(), ...result }, null, 2)}\n`);
    if (Object.values(result.ratios).some(({ ratio, required }) => ratio < required)) process.exitCode = 1;
  })
  .parseAsync();
