import { afterAll, describe, expect, it } from 'vitest';
import { HEARTBEAT } from '../../domain/orchestration.js';
import { chaos, holds } from './chaos.js';
import { leaveAll } from './places.js';
import { KILLED, LASTING, schedule, VICTIMS } from './schedule.js';

/** Its kills hit each kind of victim; after one of them two commands are started at once. */
const SEED = 26_949;
const KILLS = 9;

afterAll(leaveAll);

describe('a sweep under kill -9', () => {
  it('of slots, workers, both servers, a connection, the command and all at once loses nothing, doubles nothing, and gives the rows of an undisturbed run byte for byte', async () => {
    const result = await chaos({ seed: SEED, cells: 1_000, seconds: 300, kills: KILLS, kinds: KILLED, log: (line) => console.log(line) });
    console.log(JSON.stringify(result));
    expect(result).toMatchObject({ kills: KILLS, lost: 0, duplicated: 0, equal: true, broken: [] });
    expect(holds(result)).toBe(true);
    expect(KILLED.every((victim) => result.victims[victim] > 0)).toBe(true);
    expect(result.recoverySeconds?.max).toBeGreaterThan(0);
  }, 600_000);

  it('is killed in an order that its seed decides alone', () => {
    const first = (seed: number) => Array.from({ length: 100 }, ((kills) => () => kills.next().value)(schedule(seed)));
    expect(first(7)).toEqual(first(7));
    expect(first(7)).not.toEqual(first(8));
    expect(new Set(first(7).map(({ victim }) => victim))).toEqual(new Set(VICTIMS));
  });

  it('is cut off for shorter and for longer than the heartbeat timeout', () => {
    const kills = schedule(7, LASTING);
    const partitions = Array.from({ length: 100 }, () => kills.next().value).filter(({ victim }) => victim === 'partition');
    const longer = partitions.filter(({ lastsSeconds }) => lastsSeconds > HEARTBEAT.timeoutMs / 1000);
    expect(longer.length).toBeGreaterThan(partitions.length / 4);
    expect(longer.length).toBeLessThan((3 * partitions.length) / 4);
  });
});
