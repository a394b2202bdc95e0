/** One sweep under kills, partitions and full disks: run, killed, run again, until it is done; then judged. */
import getPort from 'get-port';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres } from '../../infra/embedded/postgres.js';
import { descendants, finished, kill, measured, processes, waitFor, type Ended, type Place, type RunningCommand } from '../endToEnd/command.js';
import { FarWorker } from './farWorker.js';
import { figures, type Figures, type Kill } from './figures.js';
import { whenLeft } from './places.js';
import type { PlannedKill, Victim } from './schedule.js';
import { mountSmallDisk, type SmallDisk } from './smallDisk.js';
import { everythingOf, victimsOf } from './victims.js';
import { broken, compare, exportedRows, type Comparison } from './verdict.js';
import { databaseUrlOf, installWitness, testimony } from './witness.js';

export interface RoundOptions {
  readonly place: Place;
  /** The sweep file. */
  readonly file: string;
  /** Rows of the undisturbed run. */
  readonly undisturbed: string;
  readonly kills: Iterator<PlannedKill, never>;
  /** What may be struck: a place is prepared for what needs it. */
  readonly kinds: readonly Victim[];
  /** Whether there is to be another kill after so many in this round. */
  readonly mayKill: (kills: number) => boolean;
  readonly log: (line: string) => void;
}

export interface Round extends Comparison, Figures {
  readonly kills: readonly Kill[];
  /** What must hold and does not, in words. */
  readonly broken: readonly string[];
  /** Commands that ended by themselves before the sweep was done. */
  readonly gaveUp: number;
}

/** A server that is being started again is there within this, or its supervisor has given it up. */
const VICTIM_LIMIT_MS = 20_000;
/** After a kill; the whole sweep takes a minute or two. */
const END_LIMIT_MS = 20 * 60_000;
/** So many commands that end by themselves are no chaos but a defect. */
const MOST_GIVE_UPS = 10;
/** A home that is killed while its servers are first made: initdb, migrations. */
const FALSE_STARTS = 2;
/** A new database takes 40 MB; its log could take a gigabyte, but a server that is killed again and again begins it anew. */
const DISK_MEGABYTES = 600;

export async function disturbedRound(options: RoundOptions): Promise<Round> {
  const { place, undisturbed, log } = options;
  const { kills, gaveUp } = await runUnderKills(options);
  // Servers take a few seconds to end, guardians a little longer.
  await waitFor('the end of everything that was started', () => everythingOf(place).length === 0, 60_000);
  const rows = await exportedRows(place);
  const postgres = await startPostgres({ folder: join(place.home, 'postgres'), port: await getPort(), logFile: join(place.home, 'logs', 'postgres.log') });
  try {
    const heard = await testimony(postgres.url);
    const reckoned = figures(kills, heard.attempts);
    const comparison = compare(undisturbed, rows, heard);
    log(`the rows are ${comparison.equal ? '' : 'NOT '}those of the undisturbed run: ${String(comparison.lost)} lost, ${String(comparison.duplicated)} double`);
    return { kills, gaveUp, ...comparison, ...reckoned, broken: broken(heard, reckoned.unexplained) };
  } finally {
    await postgres.stop();
  }
}

/** Commands of one place: they end by themselves, or are killed and started again. */
class Commands {
  private running: RunningCommand[] = [];
  private over: Ended[] = [];

  constructor(private readonly startOne: () => RunningCommand) {}

  get alive(): readonly RunningCommand[] {
    return this.running;
  }

  /** So many at once. */
  start(count: number): void {
    for (let index = 0; index < count; index += 1) {
      const command = this.startOne();
      this.running.push(command);
      void command.ended.then((ended) => {
        this.running = this.running.filter((other) => other !== command);
        // Killed ones have no exit code.
        if (ended.code !== null) this.over.push(ended);
      });
    }
  }

  /** Those that ended by themselves since this was last asked. */
  ended(): Ended[] {
    return this.over.splice(0);
  }

  /** Resolves when those among the pids have ended. */
  async gone(pids: readonly number[]): Promise<void> {
    await Promise.all(this.running.filter(({ pid }) => pids.includes(pid)).map(({ ended }) => ended));
  }
}

/** What the place needs for what lasts; null where that is not among the kinds. */
interface Prepared {
  readonly far: FarWorker | null;
  readonly disk: SmallDisk | null;
}

async function prepare({ place, kinds, log }: RoundOptions): Promise<Prepared> {
  const far = kinds.includes('partition') ? await FarWorker.open(place) : null;
  const disk = kinds.includes('disk') ? mountSmallDisk(join(place.home, 'postgres'), DISK_MEGABYTES) : null;
  if (disk !== null) whenLeft(place, () => disk.remove());
  if (far !== null) log(`one worker more, at the far end of a ${far.linkKind}`);
  return { far, disk };
}

async function runUnderKills(options: RoundOptions): Promise<{ kills: Kill[]; gaveUp: number }> {
  const { place, file, kills: planned, mayKill, log } = options;
  const { far, disk } = await prepare(options);
  const startedMs = Date.now();
  const say = (line: string): void => log(`${((Date.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  const kills: Kill[] = [];
  let gaveUp = 0;
  const commands = new Commands(() => place.start(['run', file, '--json', '--slots', '2'], far?.environment));
  const kill9 = async (next: PlannedKill, pids: readonly number[]): Promise<void> => {
    const all = processes();
    const took = pids.flatMap((pid) => [pid, ...descendants(pid, all).map((row) => row.pid)]);
    const at = Date.now();
    for (const pid of pids) kill(pid);
    say(`kill -9 ${next.victim} (${pids.length > 4 ? `${String(pids.length)} processes` : pids.join(' ')})`);
    await commands.gone(pids);
    const restart = commands.alive.length > 0 ? {} : await again(next);
    kills.push({ victim: next.victim, took, at, ...restart });
  };
  /** @returns false where there is nothing of the kind to strike now */
  const strike = async (next: PlannedKill): Promise<boolean> => {
    const { victim, lastsSeconds } = next;
    const at = Date.now();
    const lasts = `for ${lastsSeconds.toFixed(1)} s`;
    if (victim === 'partition') {
      const pid = far?.cut(lastsSeconds * 1000) ?? null;
      if (pid === null) return false;
      say(`cut off worker ${String(pid)} ${lasts}`);
      kills.push({ victim, took: [pid], at, until: at + lastsSeconds * 1000 });
    } else if (victim === 'disk') {
      if (disk === null || commands.alive.length === 0) return false;
      disk.fill();
      say(`fill the disk under PostgreSQL ${lasts}`);
      await sleep(lastsSeconds * 1000);
      disk.makeRoom();
      kills.push({ victim, took: [], at, until: Date.now(), againAt: Date.now() });
    } else {
      const pids = victimsOf(victim, next.pick, place, commands.alive);
      if (pids.length === 0) return false;
      await kill9(next, pids);
    }
    return true;
  };
  const again = async ({ awaySeconds, commands: count }: PlannedKill): Promise<{ againAt: number }> => {
    await sleep(awaySeconds * 1000);
    commands.start(count);
    return { againAt: Date.now() };
  };

  commands.start(1);
  for (let index = 0; index < FALSE_STARTS && mayKill(kills.length); index += 1) {
    const next = planned.next().value;
    const due = Date.now() + 2_000 * next.pick;
    while (Date.now() < due && commands.alive.every((command) => command.events().length === 0)) await sleep(10);
    await strike({ ...next, victim: 'everything', commands: 1 });
  }
  await witnessed(place);

  const counted = (): number => Math.max(0, ...commands.alive.map(measured));
  let next = planned.next().value;
  let before = 0;
  let due: number | null = null;
  for (let [done, since] = [false, Date.now()]; ; ) {
    await sleep(10);
    for (const ended of commands.ended()) {
      if (ended.code === 0 && finished(ended).state === 'done') {
        done = true;
        continue;
      }
      gaveUp += 1;
      say(`a command ended by itself with ${String(ended.code)}: ${lastWords(ended)}`);
      if (gaveUp === MOST_GIVE_UPS) throw new Error(`${String(gaveUp)} commands ended by themselves`);
    }
    if (done && commands.alive.length === 0) {
      await far?.stop();
      return { kills, gaveUp };
    }
    if (Date.now() > since + END_LIMIT_MS) throw new Error(`nothing has ended the sweep for ${String(END_LIMIT_MS / 60_000)} minutes`);
    if (done) continue;
    if (commands.alive.length === 0) commands.start(1);
    far?.tend();
    if (!mayKill(kills.length)) continue;
    if (due === null && (next.during === 'recovery' || counted() > before)) due = Date.now() + next.afterSeconds * 1000;
    if (due === null || Date.now() < due) continue;
    const reached = counted();
    if (!(await strike(next)) && Date.now() < due + VICTIM_LIMIT_MS) continue;
    before = reached;
    [next, due, since] = [planned.next().value, null, Date.now()];
  }
}

const lastWords = ({ stdout, stderr }: Ended): string => (stderr.trim() === '' ? stdout : stderr).trim().split('\n').slice(-3).join(' / ');

/** The witness is there before the first lease: a worker takes longer to start. */
async function witnessed(place: Place): Promise<void> {
  for (const end = Date.now() + 60_000; ; ) {
    try {
      await installWitness(databaseUrlOf(place.home));
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(20);
    }
  }
}
