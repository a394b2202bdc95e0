import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { finished, measured, openPlace, waitFor, type Place } from '../endToEnd/command.js';
import { undisturbedRun } from './chaos.js';
import { leave, leaveAll } from './places.js';
import { mountSmallDisk, noSmallDisk, type SmallDisk } from './smallDisk.js';
import { writeSweep } from './sweep.js';
import { compare, exportedRows } from './verdict.js';

const CELLS = 600;
/** A new database takes 40 MB; its log, which so few cells hardly fill, could take a gigabyte. */
const MEGABYTES = 400;

const missing = noSmallDisk();
if (missing !== null) console.log(`skipped: no file system of its own can be mounted here (${missing})`);

let place: Place;
let disk: SmallDisk | undefined;
beforeAll(async () => {
  place = await openPlace();
});
afterAll(async () => {
  disk?.remove();
  await leave(place);
  await leaveAll();
});

it.skipIf(missing !== null)('a disk that is full under PostgreSQL holds the sweep up and loses nothing: with room again it goes on, at the latest when the same command is run again, and the rows are those of an undisturbed run', async () => {
  const undisturbed = await undisturbedRun(CELLS, (line) => console.log(line));
  disk = mountSmallDisk(join(place.home, 'postgres'), MEGABYTES);
  const { file } = writeSweep(place.folder, CELLS);
  const command = place.start(['run', file, '--json', '--slots', '2']);
  await waitFor('the first cells', () => measured(command) >= 20, 120_000);
  disk.fill();
  const before = measured(command);
  // Long enough for results to be refused, and for PostgreSQL to need another piece of its log.
  await Promise.race([sleep(8_000), command.ended]);
  console.log(`full: ${String(measured(command) - before)} more cells were recorded, the command ${command.child.exitCode === null ? 'waits' : 'gave up'}`);
  disk.makeRoom();
  let ended = await command.ended;
  if (ended.code !== 0) {
    console.log(`the command ended with ${String(ended.code)}: ${ended.stderr.trim().split('\n').slice(-2).join(' / ')}`);
    ended = await place.run(['run', file, '--json', '--slots', '2']);
  }
  expect(ended.code, ended.stderr).toBe(0);
  expect(finished(ended).state).toBe('done');
  expect(compare(undisturbed.rows, await exportedRows(place), { rewritten: 0 })).toEqual({ lost: 0, duplicated: 0, equal: true });
}, 600_000);
