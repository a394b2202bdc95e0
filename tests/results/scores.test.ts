import { expect, it } from 'vitest';
import { digest } from '../../domain/identity.js';
import type { CellKey } from '../../domain/ids.js';
import { isNeedleRow, isPerplexityRow, type NeedleScoreRow, type SweepHead } from '../../domain/rows.js';
import type { PrismaStore } from '../../results/store.js';
import { seedMixedSweep } from '../stack/mixedSweep.js';
import { FIXTURE_PLACE, fixturePlan, fixtureSpec, shardsToStart } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let store: PrismaStore;
useFreshStore((fresh) => ({ store } = fresh));

async function pagesOf(head: SweepHead, pageCells?: number): Promise<NeedleScoreRow[][]> {
  const pages: NeedleScoreRow[][] = [];
  for await (const page of store.needleScores(head, head.arms.map(({ id }) => id), pageCells)) pages.push(page);
  return pages;
}

it('scores of needle cells are those of their rows, in the same order, with the reason where there are none', async () => {
  const sweep = await seedMixedSweep(store, 'scored');
  const { cells, ...head } = await store.rows(sweep);
  const rows = cells.filter(isNeedleRow);
  const scored = (await pagesOf(head)).flat();
  expect(scored.map(({ key, armId, contextTokens, depth, seed, state, origin, reason }) => [key, armId, contextTokens, depth, seed, state, origin, reason])).toEqual(
    rows.map(({ key, armId, contextTokens, depth, seed, state, origin, reason }) => [key, armId, contextTokens, depth, seed, state, origin, reason]),
  );
  expect(scored.map(({ needle, fingerprint }) => [needle?.exactMatch, needle?.tokenRecall, needle?.stringRecall, needle?.entropy, needle?.entropyFirst, fingerprint])).toEqual(
    rows.map(({ needle, measured }) => [needle?.exactMatch, needle?.tokenRecall, needle?.stringRecall, needle?.entropy, needle?.entropyFirst, measured?.fingerprint ?? null]),
  );
  expect(scored.map(({ needle }) => needle !== null)).toEqual(scored.map(({ state }) => state === 'measured'));
});

it('a needle cell without numbers has its reason', async () => {
  const grid = { name: 'without', contextTokens: [128], depths: [0], seeds: [1, 2, 3, 4] };
  const { sweep } = fixturePlan(grid);
  await store.submit(fixtureSpec(grid), fixturePlan(grid));
  const [shard] = await shardsToStart(store, sweep, 1);
  const leased = shard === undefined ? null : await store.lease(shard, FIXTURE_PLACE);
  if (leased === null) throw new Error('the sweep has a shard');
  const [failed, infeasible, diverged] = leased.job.cells.map(({ key }) => key);
  if (failed === undefined || infeasible === undefined || diverged === undefined) throw new Error('the shard has four cells');
  await store.record(leased.lease, FIXTURE_PLACE, [
    { key: failed, state: 'failed', code: 'CELL_FAILED', reason: 'it died' },
    { key: infeasible, state: 'infeasible', code: 'OUT_OF_MEMORY', reason: '9 GB of 8' },
    { key: diverged, state: 'diverged', seconds: 1, tokenDigest: digest('tokens') },
  ]);
  const scored = (await pagesOf(await store.head(sweep))).flat();
  expect(new Map(scored.map(({ key, state, reason, fingerprint }) => [key, [state, reason, fingerprint]]))).toEqual(
    new Map<CellKey, unknown>([
      [failed, ['failed', 'CELL_FAILED: it died', null]],
      [infeasible, ['infeasible', 'OUT_OF_MEMORY: 9 GB of 8', null]],
      [diverged, ['diverged', 'the output of the model was not finite', FIXTURE_PLACE.fingerprint]],
      ...scored.flatMap(({ key, state }) => (state === 'planned' ? [[key, ['planned', null, null]] as [CellKey, unknown]] : [])),
    ]),
  );
});

it('pages of scores end with a depth, are of one arm, and miss and repeat no cell', async () => {
  const head = await store.head(await seedMixedSweep(store, 'paged'));
  const pages = await pagesOf(head, 5);
  // Two seeds a depth, three depths, two lengths, two arms.
  expect(pages.map(({ length }) => length)).toEqual([4, 4, 4, 4, 4, 4]);
  expect(pages.every((page) => new Set(page.map(({ armId }) => armId)).size === 1)).toBe(true);
  expect(pages.flat()).toEqual((await pagesOf(head)).flat());
});

it('lengths of tasks are those that there are cells of', async () => {
  const sweep = await seedMixedSweep(store, 'lengths');
  expect((await store.taskLengths(sweep)).map(({ task, taskKind, contextTokens }) => `${task} ${taskKind} ${contextTokens}`)).toEqual(['0 needle 256', '0 needle 512', '1 perplexity 512', '2 attention 256', '2 attention 512']);
});

it('losses of single tokens stay in the store where nobody asks for them, and their sums do not', async () => {
  const head = await store.head(await seedMixedSweep(store, 'sums'));
  for await (const page of store.cellPages(head, { kinds: ['perplexity'], tokenLosses: false })) {
    for (const { perplexity } of page.filter(isPerplexityRow).filter(({ state }) => state === 'measured')) {
      expect(perplexity?.nll).toEqual([]);
      expect(perplexity?.tokenCount).toBe(511);
      expect(perplexity?.sumNll).toBeGreaterThan(1000);
    }
  }
});
