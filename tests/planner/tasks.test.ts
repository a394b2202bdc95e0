/** Sweeps of several tasks, and what is refused of them. */
import { describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import { buildPlan } from '../../planner/plan.js';
import { demoSweep } from './demoSweep.js';

const HAYSTACK = 'haystack: {kind: markov, file: ../models/starter/filler.json}';
const NEEDLE = `{kind: needle, ${HAYSTACK}, needle: {kind: symbols}, depths: [0, 1]}`;
const DOCUMENTS = `documents: {kind: haystack, ${HAYSTACK}, seeds: [1, 2, 3]}`;
const PERPLEXITY = `{kind: perplexity, ${DOCUMENTS}, contextTokens: [256, 2048]}`;
const ATTENTION = `{kind: attention, ${DOCUMENTS}, contextTokens: [128], references: [{method: none, contextTokens: 128}]}`;
const METHODS = ['methods=[none, {name: pi, factor: 8}]', 'continualPretrainContextTokens=[null]', 'contextTokens=[64, 128]'];

async function planOf(...set: string[]) {
  const { spec, resolved } = await demoSweep(...METHODS, ...set);
  return buildPlan(spec, resolved, new Map());
}

async function refusal(...set: string[]): Promise<RopesweepError> {
  const error: unknown = await demoSweep(...METHODS, ...set).then(() => null, (reason: unknown) => reason);
  if (error instanceof RopesweepError) return error;
  throw error instanceof Error ? error : new Error('it was not refused');
}

describe('a sweep of several tasks', () => {
  it('has the cells of each, at its own context lengths or those of the sweep', async () => {
    const plan = await planOf(`tasks=[${NEEDLE}, ${PERPLEXITY}, ${ATTENTION}]`);
    const counted = [0, 1, 2].map((task) => plan.cells.filter((cell) => cell.task === task).map(({ taskKind, contextTokens }) => `${taskKind} ${contextTokens}`));
    expect(counted.map(({ length }) => length)).toEqual([2 * 2 * 2, 2 * 3, 2]);
    expect(counted.map((cells) => [...new Set(cells)])).toEqual([['needle 64', 'needle 128'], ['perplexity 2048'], ['attention 128']]);
    expect(plan.tasks.map(({ kind }) => kind)).toEqual(['needle', 'perplexity', 'attention']);
    expect(new Set(plan.cells.map(({ key }) => key)).size).toBe(plan.cells.length);
    // The longest document of a perplexity task holds all shorter lengths.
    expect(plan.tasks[1]).toMatchObject({ contextTokens: [256, 2048] });
  });

  it('puts cells of one task, arm and table into a shard', async () => {
    const plan = await planOf(`tasks=[${NEEDLE}, ${PERPLEXITY}, ${ATTENTION}]`);
    const byKey = new Map(plan.cells.map((cell) => [cell.key, cell]));
    for (const { armId, task, cellKeys } of plan.shards) {
      for (const key of cellKeys) expect(byKey.get(key)).toMatchObject({ armId, task });
    }
    expect(plan.shards.flatMap(({ cellKeys }) => cellKeys)).toHaveLength(plan.cells.length);
  });

  it('counts a document once for all its lengths, and window by window where windows do', async () => {
    const distinct = async (task: string) => (await planOf('methods=[none]', `tasks=[${task}]`)).cost;
    expect(await distinct(PERPLEXITY)).toMatchObject({ promptTokens: 3 * 2048, distinctTokens: 3 * 2048 });
    expect(await distinct(`{kind: perplexity, ${DOCUMENTS}, contextTokens: [256], windows: {kind: disjoint, maximumWindows: 4}}`)).toMatchObject({ promptTokens: 3 * 4 * 256 });
    expect(await distinct(`{kind: attention, ${DOCUMENTS}, contextTokens: [128, 256]}`)).toMatchObject({ promptTokens: 3 * (128 + 256), distinctTokens: 3 * 256 });
  });

  it('says how many bytes its results take, arrays of all heads among them', async () => {
    const bytes = async (task: string) => (await planOf('methods=[none]', `tasks=[${task}]`)).cost.resultBytes;
    // Three layers of three heads, 129 bins in float32.
    expect((await bytes(ATTENTION)) - (await bytes(ATTENTION.replace('}}', '}').replace(/}$/, ', probes: summary}')))).toBe(129 * 4 * 9);
    expect(await bytes(PERPLEXITY)).toBeGreaterThan(3 * 2048 * 4);
  });
});

describe('tasks are refused', () => {
  it('if two of them would measure the same cells', async () => {
    const error = await refusal(`tasks=[${PERPLEXITY}, {kind: perplexity, ${DOCUMENTS}, contextTokens: [2048], lastTokens: 16}]`);
    expect(error.problems.map(({ what }) => what)).toEqual([expect.stringMatching(/^it has cells that an earlier task has too \(2048 tokens, document [0-9a-f]{64}\)$/)]);
    expect((await refusal(`tasks=[${ATTENTION}, ${ATTENTION}]`)).problems[0]?.what).toBe('it has cells that an earlier task has too (128 tokens)');
  });

  it('if a reference is no arm or no length of the sweep', async () => {
    const error = await refusal(`tasks=[{kind: attention, ${DOCUMENTS}, contextTokens: [128], references: [{method: yarn 8, contextTokens: 64}]}]`);
    expect(error.problems.map(({ what, mend }) => `${what} | ${mend ?? ''}`)).toEqual([
      "yarn 8 is no method of this sweep | Add it to methods, use one of none, pi 8, or compare to nothing: --set 'tasks[0].references=[]'.",
      '64 is no context length of this task | Use one of 128, or add it to them.',
    ]);
  });

  it('if methods are narrowed down to others than a reference names, with a way out that works', async () => {
    const narrowed = ['methods=[{name: pi, factor: 8}]', `tasks=[${NEEDLE}, ${ATTENTION}]`];
    const [problem] = (await refusal(...narrowed)).problems;
    expect(problem).toMatchObject({ what: 'none is no method of this sweep', where: expect.stringContaining('tasks[1].references[0]') as string });
    const [, mended = ''] = /--set '([^']+)'/.exec(problem?.mend ?? '') ?? [];
    expect((await planOf(...narrowed, mended)).tasks[1]).toMatchObject({ kind: 'attention', references: [] });
  });

  it('if a context has fewer rows than attention is looked at', async () => {
    const error = await refusal(`tasks=[${ATTENTION.replace('[128]', '[32, 128]')}]`);
    expect(error.problems.map(({ where, what, mend }) => `${where} | ${what} | ${mend ?? ''}`)).toEqual([
      expect.stringMatching(/contextTokens.* \| 32 tokens have no 64 rows to look at, which tasks\[0\] does \| Use at least 64, or set rows of the task to 32 or fewer\.$/),
    ]);
  });

  it('if documents hold ids that the model does not have', async () => {
    const error = await refusal(`tasks=[{kind: perplexity, documents: {kind: haystack, ${HAYSTACK}, headIds: [999]}}]`);
    expect(error.problems.map(({ what, mend }) => `${what} | ${mend ?? ''}`)).toEqual(["head: ids 999 are outside of the model's vocabulary of 256 | Use ids from 0 to 255."]);
  });

  it('if a reference is not exactly one arm', async () => {
    const error = await refusal(`tasks=[{kind: attention, ${DOCUMENTS}, contextTokens: [128], references: [{method: pi 8, continualPretrainContextTokens: 256, contextTokens: 128}]}]`);
    expect(error.problems.map(({ what, mend }) => `${what} | ${mend ?? ''}`)).toEqual(['the sweep has no arm pi 8, continued at 256 | Set continualPretrainContextTokens to null.']);
    const two = await refusal('methods=[{name: pi, factor: 8}, {name: pi, factor: 4}]', `tasks=[{kind: attention, ${DOCUMENTS}, contextTokens: [128], references: [{method: pi, contextTokens: 128}]}]`);
    expect(two.problems.map(({ what }) => what)).toEqual(['pi may be pi 8 or pi 4']);
  });

  it('with the problems of all of them at once', async () => {
    const error = await refusal(
      `tasks=[{kind: needle, ${HAYSTACK}, needle: {kind: single}, depths: [0]}, {kind: perplexity, documents: {kind: text, path: nowhere.txt}}, {kind: needle, ${HAYSTACK}, needle: {kind: symbols}, depths: [0], contextTokens: [4], snap: sentence}]`,
    );
    expect(error.problems.map(({ what }) => what)).toEqual([
      'the needle single does not go with the template ids',
      'the needle single does not go with the haystack markov: one is text, the other is not',
      'there is no such file',
      'the haystack markov has no sentences',
    ]);
  });
});
