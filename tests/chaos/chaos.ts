/** A chaos run: one undisturbed run of a sweep, then the same sweep under kills, as often as time and kills allow. */
import { finished } from '../endToEnd/command.js';
import { spread, type Spread } from './figures.js';
import { inPlace } from './places.js';
import { disturbedRound, type Round } from './round.js';
import { schedule, VICTIMS, type Victim } from './schedule.js';
import { writeSweep } from './sweep.js';
import { exportedRows } from './verdict.js';

export interface ChaosOptions {
  readonly seed: number;
  /** At least so many cells. */
  readonly cells: number;
  /** No new kills after so many seconds under kills; what runs then is let end. */
  readonly seconds: number;
  /** No new kills after so many. */
  readonly kills: number;
  /** What is struck. */
  readonly kinds: readonly Victim[];
  readonly log: (line: string) => void;
}

export interface ChaosResult {
  readonly seed: number;
  /** Of the sweep. */
  readonly cells: number;
  /** How often the sweep was run to its end under kills. */
  readonly rounds: number;
  readonly kills: number;
  readonly victims: Readonly<Record<Victim, number>>;
  readonly lost: number;
  readonly duplicated: number;
  readonly equal: boolean;
  /** What must hold and does not, in words. */
  readonly broken: readonly string[];
  /** docs/recovery.md says what these three are; a spread is null where there was nothing to measure. */
  readonly recoverySeconds: Spread | null;
  readonly idleShardSeconds: Spread | null;
  readonly lostWorkSeconds: number;
  readonly undisturbedSeconds: number;
  /** All rounds, with what judges them. */
  readonly disturbedSeconds: number;
  /** Commands that ended by themselves before the sweep was done, and were run again. */
  readonly gaveUp: number;
}

/** @throws where a run cannot be brought to its end at all. */
export async function chaos({ seed, cells, seconds, kills: mostKills, kinds, log }: ChaosOptions): Promise<ChaosResult> {
  const undisturbed = await undisturbedRun(cells, log);
  log(`under kills, drawn from seed ${String(seed)}`);
  const kills = schedule(seed, kinds);
  const rounds: Round[] = [];
  const startedMs = Date.now();
  const elapsedSeconds = (): number => (Date.now() - startedMs) / 1000;
  const struck = (): number => total(rounds.map((round) => round.kills.length));
  const mayKill = (killsOfRound: number): boolean => struck() + killsOfRound < mostKills && elapsedSeconds() < seconds;
  do {
    rounds.push(await inPlace((place) => disturbedRound({ place, file: writeSweep(place.folder, cells).file, undisturbed: undisturbed.rows, kinds, kills, mayKill, log })));
  } while (mayKill(0));

  const victims = rounds.flatMap((round) => round.kills).map(({ victim }) => victim);
  return {
    seed,
    cells: undisturbed.cells,
    rounds: rounds.length,
    kills: struck(),
    victims: Object.fromEntries(VICTIMS.map((one) => [one, victims.filter((victim) => victim === one).length])) as Record<Victim, number>,
    lost: total(rounds.map(({ lost }) => lost)),
    duplicated: total(rounds.map(({ duplicated }) => duplicated)),
    equal: rounds.every(({ equal }) => equal),
    broken: rounds.flatMap(({ broken }) => broken),
    recoverySeconds: spread(rounds.flatMap(({ recoverySeconds }) => recoverySeconds)),
    idleShardSeconds: spread(rounds.flatMap(({ idleShardSeconds }) => idleShardSeconds)),
    lostWorkSeconds: total(rounds.map(({ lostWorkSeconds }) => lostWorkSeconds)),
    undisturbedSeconds: undisturbed.seconds,
    disturbedSeconds: elapsedSeconds(),
    gaveUp: total(rounds.map(({ gaveUp }) => gaveUp)),
  };
}

export const holds = ({ lost, duplicated, equal, broken }: Pick<ChaosResult, 'lost' | 'duplicated' | 'equal' | 'broken'>): boolean =>
  lost === 0 && duplicated === 0 && equal && broken.length === 0;

/** In a place of its own; `rows` are what every other run of so many cells must give. */
export function undisturbedRun(cells: number, log: (line: string) => void): Promise<{ cells: number; seconds: number; rows: string }> {
  return inPlace(async (place) => {
    const sweep = writeSweep(place.folder, cells);
    log(`${String(sweep.cells)} cells undisturbed`);
    const ended = await place.run(['run', sweep.file, '--json', '--slots', '2']);
    if (ended.code !== 0) throw new Error(`the undisturbed run ended with ${String(ended.code)}: ${ended.stderr}`);
    const { seconds } = finished(ended);
    log(`took ${seconds.toFixed(1)} s`);
    return { cells: sweep.cells, seconds, rows: await exportedRows(place) };
  });
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
