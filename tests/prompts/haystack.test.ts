import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import { haystackSchema } from '../../domain/promptSpec.js';
import { haystackDigest, haystackIdRanges, openHaystack, resolveHaystack } from '../../prompts/haystack.js';
import { needleDigest } from '../../prompts/needle.js';
import { templateDigest } from '../../prompts/template.js';
import { starterTask } from './starterTask.js';

const spec = haystackSchema.parse({ kind: 'markov', file: 'filler.json' });

const folder = await mkdtemp(path.join(tmpdir(), 'ropesweep-haystack-'));
afterAll(() => rm(folder, { recursive: true }));

async function resolveText(text: string) {
  const file = path.join(folder, 'filler.json');
  await writeFile(file, text);
  return resolveHaystack(spec, () => Promise.resolve(file));
}

async function refusalOf(text: string): Promise<RopesweepError> {
  const error: unknown = await resolveText(text).then(() => null, (reason: unknown) => reason);
  if (!(error instanceof RopesweepError)) throw new Error('it was not refused');
  return error;
}

describe('the Markov haystack', () => {
  it('resolves the filler of the starter models to its 92 symbols from id 4', async () => {
    const { haystack } = await starterTask();
    expect(haystackIdRanges(haystack)).toEqual([{ name: 'filler', first: 4, count: 92 }]);
    expect(haystack.successors.every((ranks) => ranks.length === 8)).toBe(true);
  });

  it('jumps and follows successors as often as its description says', async () => {
    const { haystack } = await starterTask();
    const ids = (await openHaystack(haystack, null))(7).prefix(200_001);
    const symbols = haystack.successors.length;
    // Rank r of 8: e^(-r/s) - e^(-(r+1)/s), the last rank takes the tail. A symbol may stand at two ranks of a row.
    const tail = (rank: number) => Math.exp(-rank / haystack.rankScale);
    const chance = (rank: number) => tail(rank) - (rank === 7 ? 0 : tail(rank + 1));
    const expected = new Float64Array(9);
    const seen = new Float64Array(9);
    ids.subarray(1).forEach((id, index) => {
      const ranks = haystack.successors[(ids[index] ?? 0) - haystack.firstFillerId] ?? [];
      const rank = ranks.indexOf(id - haystack.firstFillerId);
      seen[rank < 0 ? 8 : rank] = (seen[rank < 0 ? 8 : rank] ?? 0) + 1;
      for (let slot = 0; slot < 9; slot += 1) {
        const reached = slot === 8
          ? haystack.jumpProbability * (1 - new Set(ranks).size / symbols)
          : ranks.indexOf(ranks[slot] ?? -1) < slot
            ? 0
            : haystack.jumpProbability / symbols + (1 - haystack.jumpProbability) * ranks.reduce((sum, next, at) => sum + (next === ranks[slot] ? chance(at) : 0), 0);
        expected[slot] = (expected[slot] ?? 0) + reached;
      }
    });
    const largest = Math.max(...[...seen].map((count, slot) => Math.abs(count - (expected[slot] ?? 0)) / 200_000));
    console.log(`largest difference between seen and expected share of a rank: ${largest.toExponential(2)}`);
    // Standard error of a share near 0.3 over 200,000 draws: 1.0e-3.
    expect(largest).toBeLessThan(4e-3);
  });

  it('names every symbol of the file that does not exist, the first few in full', async () => {
    const { code, problems } = await refusalOf('{"firstFillerId": 4, "successors": [[0, 2], [1, 7]]}');
    expect(code).toBe('SPEC_INVALID');
    expect(problems.map(({ where, what }) => `${where}: ${what}`)).toEqual([
      'filler.json successors[0][1]: symbol 2 does not exist: the chain has 2',
      'filler.json successors[1][1]: symbol 7 does not exist: the chain has 2',
    ]);
    const many = await refusalOf(JSON.stringify({ firstFillerId: 0, successors: [Array.from({ length: 40 }, () => 9)] }));
    expect(many.problems).toHaveLength(9);
    expect(many.message).toContain('and 32 more');
  });

  it('refuses a file that is no chain, saying what a chain is', async () => {
    expect((await refusalOf('not json')).message).toContain('is not JSON');
    for (const text of ['[]', '{"firstFillerId": -1, "successors": [[0]]}', '{"firstFillerId": 4, "successors": []}', '{"firstFillerId": 4, "successors": [[]]}']) {
      expect((await refusalOf(text)).problems.every(({ mend }) => mend?.includes('firstFillerId') === true)).toBe(true);
    }
  });
});

describe('digests', () => {
  it('change with every parameter and not with the path of a file', async () => {
    const { haystack, needle, template } = await starterTask();
    if (needle.kind !== 'symbols') throw new Error('the starter needle is made of symbols');
    const elsewhere = await resolveHaystack(spec, () => Promise.resolve('models/starter/filler.json'));
    expect(haystackDigest(elsewhere)).toBe(haystackDigest(haystack));
    const digests = [
      haystackDigest(haystack),
      haystackDigest({ ...haystack, jumpProbability: 0.2 }),
      haystackDigest({ ...haystack, rankScale: 3 }),
      haystackDigest({ ...haystack, firstFillerId: 5 }),
      haystackDigest({ ...haystack, successors: [...haystack.successors].reverse() }),
      needleDigest(needle),
      needleDigest({ ...needle, answerTokens: 3 }),
      needleDigest({ ...needle, keys: { first: 97, count: 31 } }),
      templateDigest(template),
      templateDigest({ headIds: [] }),
    ];
    expect(new Set(digests).size).toBe(digests.length);
  });
});
