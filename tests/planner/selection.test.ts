/** What zip, exclude, where and include leave of the grid, and sweeps of several models. */
import { describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import type { Plan, PlannedCell } from '../../domain/plan.js';
import { sha256OfFile } from '../../model/weightsId.js';
import { parseSpec } from '../../planner/parse.js';
import { buildPlan } from '../../planner/plan.js';
import { resolveSweep } from '../../planner/resolve.js';
import { DEMO, demoSweep, MODELS, needleDemo } from './demoSweep.js';

async function planOf(...set: string[]): Promise<Plan> {
  const { spec, resolved } = await demoSweep(...set);
  return buildPlan(spec, resolved, new Map());
}

async function refusal(...set: string[]): Promise<string[]> {
  const error: unknown = await planOf(...set).then(() => null, (reason: unknown) => reason);
  if (error instanceof RopesweepError) return error.problems.map(({ where, what }) => `${where}: ${what}`);
  throw error instanceof Error ? error : new Error('it was not refused');
}

const name = (plan: Plan) => (cell: PlannedCell) => `${plan.arms.find(({ id }) => id === cell.armId)?.label ?? ''} ${cell.contextTokens} ${Object.values(cell.axes).join(' ')}`.trim();
const names = (plan: Plan): string[] => plan.cells.map(name(plan));
const leftOut = (plan: Plan) => plan.excluded.flatMap((one) => ('rule' in one ? [`${one.rule} ${one.cells}`] : []));

const FEW = ['methods=[none, {name: ntk, factor: 8}]', 'continualPretrainContextTokens=[null, 256]', 'contextTokens=[128, 256]', 'tasks[0].depths=[0, 1]', 'tasks[0].seeds=[2]'];
const DOCUMENTS = 'documents: {kind: haystack, haystack: {kind: markov, file: ../models/starter/filler.json}, seeds: {from: 1, to: 2}}';

describe('ranges of a sweep', () => {
  it('plan the very cells of the lists they stand for', async () => {
    const [written, ranged] = [
      await planOf('contextTokens=[128,256,512,1024]', 'tasks[0].depths=[0,0.1,0.2,0.3]', 'tasks[0].seeds=[1,2,3]', 'continualPretrainContextTokens=[null,256,1024]'),
      await planOf('contextTokens={from: 128, to: 1024, factor: 2}', 'tasks[0].depths={from: 0, to: 0.3, step: 0.1}', 'tasks[0].seeds={from: 1, to: 3}', 'continualPretrainContextTokens=[null, {from: 256, to: 1024, factor: 4}]'),
    ];
    expect(ranged).toEqual(written);
  });

  it('stay in the spec as they were written', async () => {
    expect((await demoSweep('tasks[0].seeds={from: 1, to: 3}')).spec.tasks[0]).toMatchObject({ seeds: { from: 1, to: 3 } });
  });
});

describe('cells are left out', () => {
  it('by exclude, and counted, and one that matches nothing is said so', async () => {
    const plan = await planOf(...FEW, 'exclude=[{method: ntk, depth: 1}, {contextTokens: 128, continualPretrainContextTokens: 256}, {contextTokens: 999}]');
    expect(names(plan)).toEqual(['none 128 0 2', 'none 128 1 2', 'none 256 0 2', 'none 256 1 2', 'ntk 8 128 0 2', 'ntk 8 256 0 2', 'ntk 8, continued at 256 256 0 2']);
    // Plain RoPE has no continued checkpoint: what exclude leaves of it is missing.
    expect(plan.excluded[0]).toMatchObject({ method: 'none', continualPretrainContextTokens: 256, cells: 2 });
    expect(leftOut(plan)).toEqual(['exclude[0] 3', 'exclude[1] 4']);
    expect(plan.counts.excluded).toBe(9);
    expect(plan.notices).toEqual(['exclude[2] (contextTokens 999) leaves out nothing']);
  });

  it('by where, each by the first condition that does not hold', async () => {
    const plan = await planOf(...FEW, 'where=["continualPretrainContextTokens == null || contextTokens <= continualPretrainContextTokens / 2", "depth == 0 || method == \\"none\\""]');
    expect(names(plan)).toEqual(['none 128 0 2', 'none 128 1 2', 'none 256 0 2', 'none 256 1 2', 'ntk 8 128 0 2', 'ntk 8 256 0 2', 'ntk 8, continued at 256 128 0 2']);
    expect(leftOut(plan)).toEqual(['where[0] 4', 'where[1] 3']);
  });

  it('by zip, whose lists move together', async () => {
    const plan = await planOf(...FEW, 'methods=[{name: ntk, factor: 8}]', 'zip=[[continualPretrainContextTokens, contextTokens]]');
    expect(names(plan)).toEqual(['ntk 8 128 0 2', 'ntk 8 128 1 2', 'ntk 8, continued at 256 256 0 2', 'ntk 8, continued at 256 256 1 2']);
    expect(leftOut(plan)).toEqual(['zip[0] 4']);
    expect(await refusal(...FEW, 'zip=[[contextTokens, seeds]]')).toEqual(['--set zip=[[contextTokens, seeds]]: zip[0]: contextTokens has 2 values, seeds has 1 values: they cannot move together']);
  });

  it('without moving the keys of those that are left', async () => {
    const [all, some] = [await planOf(...FEW), await planOf(...FEW, 'where=contextTokens == 256')];
    expect(some.cells.map(({ key }) => key)).toEqual(all.cells.filter(({ contextTokens }) => contextTokens === 256).map(({ key }) => key));
    expect(some.digest).not.toBe(all.digest);
    expect((await planOf(...FEW, 'where=contextTokens > 0')).digest).toBe(all.digest);
  });

  it('and an arm without cells is not in the plan, nor need its checkpoint exist', async () => {
    const plan = await planOf(...FEW, 'where="method != \\"none\\" || continualPretrainContextTokens == null"');
    expect(plan.arms.map(({ label }) => label)).toEqual(['none', 'ntk 8', 'ntk 8, continued at 256']);
    expect(plan.excluded).toEqual([{ rule: 'where', cells: 4, reason: 'method != "none" || continualPretrainContextTokens == null' }]);
    expect((await refusal(...FEW, 'where=contextTokens > 9999'))[0]).toContain('no cell is left: where (contextTokens > 9999) leaves out 16');
  });

  it('of a perplexity task moves it to the longest context that is left, for each document by itself', async () => {
    const task = [...FEW, 'methods=[none]', 'continualPretrainContextTokens=[null]', `tasks=[{kind: perplexity, ${DOCUMENTS}}]`];
    const plan = await planOf(...task);
    const [, second] = plan.cells;
    expect(plan.cells.map(({ contextTokens }) => contextTokens)).toEqual([256, 256]);
    expect((await planOf(...task, 'where=contextTokens < 256')).cells.map(({ contextTokens }) => contextTokens)).toEqual([128, 128]);
    const document = second?.taskKind === 'perplexity' ? second.axes.document : '';
    const split = await planOf(...task, `where=document != "${document}" || contextTokens < 256`);
    expect(split.cells.map(({ contextTokens, key }) => [contextTokens, key === plan.cells[0]?.key])).toEqual([[128, false], [256, true]]);
    const gone = await planOf(...task, `where=document != "${document}"`);
    expect([gone.counts.total, leftOut(gone)]).toEqual([1, ['where 1']]);
  });
});

describe('included points', () => {
  it('stand beside the grid, whatever is left out of it; what they do not name takes all values', async () => {
    const plan = await planOf(...FEW, 'where=contextTokens == 128', 'include=[{method: ntk 8, continualPretrainContextTokens: 1024, contextTokens: 512, depth: [0, 0.3], seed: 7}, {method: none, contextTokens: 256}]');
    expect(names(plan)).toEqual([
      'none 128 0 2', 'none 128 1 2', 'none 256 0 2', 'none 256 1 2', 'ntk 8 128 0 2', 'ntk 8 128 1 2', 'ntk 8, continued at 256 128 0 2', 'ntk 8, continued at 256 128 1 2',
      'ntk 8, continued at 1024 512 0 7', 'ntk 8, continued at 1024 512 0.3 7',
    ]);
    expect(new Set(plan.cells.map(({ key }) => key)).size).toBe(plan.cells.length);
    // Cells that the grid has already are not there twice.
    expect((await planOf(...FEW, 'include=[{contextTokens: 128}]')).digest).toBe((await planOf(...FEW)).digest);
  });

  it('and parts of the grid that name strangers are refused with their place', async () => {
    expect(await refusal(...FEW, 'include=[{method: nkt}]', 'exclude=[{model: other}]')).toEqual([
      '--set exclude=[{model: other}]: exclude[0].model: other is no model of this sweep (model other)',
      '--set include=[{method: nkt}]: include[0].method: nkt is no method of this sweep (method nkt)',
    ]);
  });
});

describe('the limit', () => {
  it('counts what is left', async () => {
    expect((await planOf(...FEW, 'cellLimit=4', 'where=contextTokens == 128 && method == "none"', 'tasks[0].depths={from: 0, to: 1, count: 4}')).counts.total).toBe(4);
    expect(await refusal(...FEW, 'cellLimit=5', 'where=depth == 0')).toEqual(['--set cellLimit=5: the sweep has 6 cells, the limit is 5']);
  });

  it('is told at once of a grid that nobody would go through', async () => {
    const vast = ['tasks[0].seeds={from: 1, to: 1000000}', 'tasks[0].depths={from: 0, to: 1, count: 1001}'];
    expect(await refusal(...FEW, ...vast)).toEqual([expect.stringMatching(/cellLimit: the sweep has 6006000000 cells, the limit is 100000$/)]);
    expect(await refusal(...FEW, ...vast, 'where=seed == 1')).toEqual([expect.stringContaining('leave an unknown part of 8008000000 cells, and no more than 1000000 are gone through')]);
    expect((await planOf(...FEW, 'contextTokens={from: 128, to: 90000}', 'where=contextTokens == 128')).counts.total).toBe(6);
  });
});

/** The demo with two models in place of one. */
async function twoModels(models: string, ...set: string[]): Promise<Plan> {
  const demo = await needleDemo();
  const text = `${demo.slice(0, demo.indexOf('model:'))}models: ${models}\n${demo.slice(demo.indexOf('methods:'))}`;
  const spec = parseSpec(text, { file: DEMO, set });
  return buildPlan(spec, await resolveSweep(spec, { file: DEMO, fileSha256: sha256OfFile, modelsFolder: MODELS }), new Map());
}
const ONE = '{name: one, base: ../models/starter/base, continued: "../models/starter/{method}-{length}"}';

describe('several models', () => {
  it('each have their arms and tasks, and labels name them', async () => {
    const plan = await twoModels(`[${ONE}, {name: two, base: ../models/starter/yarn-256}]`, ...FEW, `tasks[1]={kind: perplexity, ${DOCUMENTS}}`);
    expect(plan.arms.map(({ label, model }) => `${model} | ${label}`)).toEqual([
      'one | one: none', 'one | one: ntk 8', 'one | one: ntk 8, continued at 256', 'two | two: none', 'two | two: ntk 8',
    ]);
    expect(plan.tasks.map(({ kind }) => kind)).toEqual(['needle', 'perplexity', 'needle', 'perplexity']);
    for (const { armId, task } of plan.cells) expect(plan.arms.find(({ id }) => id === armId)?.model).toBe(task < 2 ? 'one' : 'two');
    for (const { armId, task } of plan.shards) expect(plan.arms.find(({ id }) => id === armId)?.model).toBe(task < 2 ? 'one' : 'two');
    // The keys of the first are those it has alone.
    const alone = await planOf(...FEW, `tasks[1]={kind: perplexity, ${DOCUMENTS}}`);
    expect(plan.cells.filter(({ task }) => task < 2).map(({ key }) => key)).toEqual(alone.cells.map(({ key }) => key));
    expect(plan.arms.slice(0, 3).map(({ id }) => id)).toEqual(alone.arms.map(({ id }) => id));
  });

  it('may be one under two names: its cells are computed once', async () => {
    const plan = await twoModels('[{name: one, base: ../models/starter/base}, {name: two, base: ../models/starter/base}]', ...FEW, 'continualPretrainContextTokens=[null]');
    expect(new Set(plan.arms.map(({ id }) => id)).size).toBe(4);
    expect([plan.cells.length, plan.shards.flatMap(({ cellKeys }) => cellKeys).length]).toEqual([16, 8]);
  });

  it('are left out and zipped by name', async () => {
    const plan = await twoModels(`[${ONE}, {name: two, base: ../models/starter/yarn-256}]`, ...FEW, 'exclude=[{model: two, method: ntk}]', 'where="model == \\"two\\" || contextTokens == 128"');
    expect(names(plan)).toEqual(['one: none 128 0 2', 'one: none 128 1 2', 'one: ntk 8 128 0 2', 'one: ntk 8 128 1 2', 'one: ntk 8, continued at 256 128 0 2', 'one: ntk 8, continued at 256 128 1 2', 'two: none 128 0 2', 'two: none 128 1 2', 'two: none 256 0 2', 'two: none 256 1 2']);
    const zipped = await twoModels(`[${ONE}, {name: two, base: ../models/starter/yarn-256}]`, ...FEW, 'continualPretrainContextTokens=[null]', 'zip=[[models, methods]]');
    expect(zipped.arms.map(({ label }) => label)).toEqual(['one: none', 'two: ntk 8']);
  });

  it('are refused beside model, and under one name', async () => {
    expect(await refusal(...FEW, `models=[${ONE}]`)).toEqual([expect.stringContaining('model stands beside it')]);
    await expect(twoModels(`[${ONE}, ${ONE}]`, ...FEW)).rejects.toThrow('another model is called "one" too');
  });
});
