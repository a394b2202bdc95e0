/**
 * `npm run chaos -- --minutes N --seed S [--kills N] [--json FILE]`: kills what runs a sweep, cuts off and fills up what it needs,
 * again and again, and exits 1 where a cell is lost, double or different from the undisturbed run.
 */
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { exitCodeOf, wholeNumber } from '../../infra/commandLine.js';
import { chaos, holds, type ChaosResult } from './chaos.js';
import type { Spread } from './figures.js';
import { leaveAll } from './places.js';
import { VICTIMS } from './schedule.js';
import { noSmallDisk } from './smallDisk.js';

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly kills?: number;
  readonly cells: number;
  readonly json?: string;
}

const words = (spread: Spread | null): string =>
  spread === null ? '-' : `median ${spread.median.toFixed(1)} s, p95 ${spread.p95.toFixed(1)} s, max ${spread.max.toFixed(1)} s`;

function print(result: ChaosResult): void {
  const victims = Object.entries(result.victims).map(([victim, count]) => `${String(count)} ${victim}`);
  const lines = [
    `${String(result.kills)} kills (${victims.join(', ')}) in ${String(result.rounds)} rounds of ${String(result.cells)} cells`,
    `lost ${String(result.lost)}, double ${String(result.duplicated)}, rows ${result.equal ? 'equal' : 'NOT equal'} byte for byte`,
    `recovery      ${words(result.recoverySeconds)}`,
    `shard idle    ${words(result.idleShardSeconds)}`,
    `lost work     ${result.lostWorkSeconds.toFixed(1)} slot-seconds of ${String(result.rounds)} x ${result.undisturbedSeconds.toFixed(1)} s on two slots`,
    `gave up       ${String(result.gaveUp)} commands, which were run again`,
    ...result.broken.map((what) => `BROKEN        ${what}`),
  ];
  console.log(lines.join('\n'));
}

async function run({ minutes, json, kills = Number.POSITIVE_INFINITY, ...options }: Options): Promise<void> {
  const noDisk = noSmallDisk();
  if (noDisk !== null) console.log(`without full disks: no file system of its own can be mounted here (${noDisk})`);
  const kinds = VICTIMS.filter((kind) => kind !== 'disk' || noDisk === null);
  const result = await chaos({ ...options, kills, kinds, seconds: minutes * 60, log: (line) => console.log(line) });
  print(result);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
  if (!holds(result)) process.exitCode = 1;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    console.log('stopping everything');
    void leaveAll().finally(() => process.exit(130));
  });
}

const command = new Command('npm run chaos --')
  .description('Kill -9 of slots, workers, servers, the command and all at once, workers cut off and full disks, while a sweep runs; then compare its rows with an undisturbed run.')
  .option('--minutes <n>', 'no new kills after so many minutes under kills', wholeNumber('--minutes'), 10)
  .option('--seed <n>', 'draws what is killed and when', wholeNumber('--seed', 0), 1)
  .option('--kills <n>', 'no new kills after so many', wholeNumber('--kills'))
  .option('--cells <n>', 'size of the sweep, which is run again and again while there is time', wholeNumber('--cells'), 3_000)
  .option('--json <file>', 'also write the result as JSON')
  .addHelpText(
    'after',
    `
Exit codes: 0 nothing lost, nothing double, rows equal byte for byte; 1 otherwise; 2 bad input. docs/recovery.md says what the
figures are. It works in folders of its own below the system's temporary folder and leaves nothing running.

Examples:
  npm run chaos -- --minutes 10 --seed 7
  npm run chaos -- --minutes 60 --kills 100 --cells 10000 --json chaos.json`,
  )
  .exitOverride()
  .action(run);

try {
  await command.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
  await leaveAll();
}
process.exit();
