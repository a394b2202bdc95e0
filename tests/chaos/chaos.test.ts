import { afterAll, describe, expect, it } from 'vitest';
import { chaos, holds } from './chaos.js';
import { leaveAll } from './places.js';
import { schedule, VICTIMS } from './schedule.js';

/** Its kills hit each kind of victim; after one of them two commands are started at once. */
const SEED = 26_949;
const KILLS = 9;

afterAll(leaveAll);

describe('a sweep under kill -9', () => {
  it('of slots, workers, both servers, a connection, the command and all at once loses nothing, doubles nothing, and gives the rows of an undisturbed run byte for byte', async () => {
    const result = await chaos({ seed: SEED, cells: 1_000, seconds: 300, kills: KILLS, log: (line) => console.log(line) });
    console.log(JSON.stringify(result));
    expect(result).toMatchObject({ kills: KILLS, lost: 0, duplicated: 0, equal: true, broken: [] });
    expect(holds(result)).toBe(true);
    expect(Object.values(result.victims).every((count) => count > 0)).toBe(true);
    expect(result.recoverySeconds?.max).toBeGreaterThan(0);
  }, 600_000);

  it('is killed in an order that its seed decides alone', () => {
    const first = (seed: number) => Array.from({ length: 100 }, ((kills) => () => kills.next().value)(schedule(seed)));
    expect(first(7)).toEqual(first(7));
    expect(first(7)).not.toEqual(first(8));
    expect(new Set(first(7).map(({ victim }) => victim))).toEqual(new Set(VICTIMS));
  });
});
