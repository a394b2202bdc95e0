import { describe, expect, it } from 'vitest';
import { id, type TableDigest, type WeightsId } from '../../domain/ids.js';
import { cellKeys, sharedIngredients, type CellIngredients } from '../../planner/cellKey.js';
import { layGrid } from '../../planner/grid.js';
import { digest } from '../../domain/identity.js';
import { demoSweep } from './demoSweep.js';

const keyOf = ({ tableDigest, contextTokens, axes, ...shared }: CellIngredients) => cellKeys(shared)(tableDigest, contextTokens, [axes])[0];

const ingredients: CellIngredients = {
  taskKind: 'needle',
  weightsId: id<WeightsId>('weights'),
  tokenizerDigest: 'tokenizer',
  dtype: 'f32',
  task: { haystackDigest: 'haystack', probes: { stored: 'heads', names: ['entropy', 'sinkMass'] } },
  numericsVersion: 3,
  tableDigest: id<TableDigest>('table'),
  contextTokens: 1024,
  axes: { depth: 0.5, seed: 1 },
};

/** One change of each ingredient that determines a cell's numbers. */
const CHANGES: { readonly [Name in keyof CellIngredients]: readonly CellIngredients[Name][] } = {
  taskKind: ['perplexity'],
  weightsId: [id<WeightsId>('other')],
  tokenizerDigest: ['other'],
  dtype: ['f16'],
  task: [
    { ...ingredients.task, haystackDigest: 'other' },
    { ...ingredients.task, probes: { stored: 'heads', names: ['entropy'] } },
  ],
  numericsVersion: [4],
  tableDigest: [id<TableDigest>('other')],
  contextTokens: [1025],
  axes: [
    { depth: 0.25, seed: 1 },
    { depth: 0.5, seed: 2 },
  ],
};

const keysOf = async (...set: string[]): Promise<Set<string>> => new Set([...layGrid((await demoSweep(...set)).resolved)].flatMap(({ keys }) => keys));

/** Share of the keys of one sweep that the other has too. */
async function shared(known: ReadonlySet<string>, ...set: string[]): Promise<number> {
  const other = await keysOf(...set);
  return [...other].filter((key) => known.has(key)).length / other.size;
}

describe('the cell key', () => {
  const keys = new Set([keyOf(ingredients)]);
  for (const [name, changes] of Object.entries(CHANGES)) {
    it(`changes with ${name}`, () => {
      for (const change of changes) {
        const key = keyOf({ ...ingredients, [name]: change });
        expect(keys.has(key)).toBe(false);
        keys.add(key);
      }
    });
  }

  it('is the same whatever the order of the fields', () => {
    const reversed = Object.fromEntries(Object.entries({ ...ingredients, axes: { seed: 1, depth: 0.5 } }).reverse()) as unknown as CellIngredients;
    expect(keyOf(reversed)).toBe(keyOf(ingredients));
  });

  it('does not move: a committed key, so that stored measurements are found again', () => {
    expect(keyOf(ingredients)).toBe('08ee7fd8758c7e5b65edce940c6b0ec442c141f1687bc1aee5537e9ba1af65e6');
  });

  it('takes nothing of an arm but its weights', async () => {
    const { resolved } = await demoSweep();
    const arm = resolved.arms[1]?.arm;
    const [task] = resolved.tasks;
    if (arm === undefined || task?.kind !== 'needle') throw new Error('the demo has an arm and a needle task');
    const renamed = { ...arm, label: 'x', model: 'x', checkpoint: { ...arm.checkpoint, folder: '/elsewhere', continualPretrainContextTokens: 7, weightFormat: 'bf16' } };
    expect(sharedIngredients(renamed, task.kind, task.task, resolved)).toEqual(sharedIngredients(arm, task.kind, task.task, resolved));
  });
});

describe('keys of the demo', () => {
  it('do not move: the first of them, and one over all', async () => {
    const all = [...layGrid((await demoSweep()).resolved)].flatMap(({ keys }) => keys);
    expect(all[0]).toBe('960bb5484cc8cdabf5bdeef910bb3f8e45c349a00c6b101800751ab254f30377');
    expect(digest(all)).toBe('7122395183ae1a3618cff88978ea46d1d0ea89cfa9f61a74cee8abe04ecd1f50');
  });

  it('change with what determines numbers and with nothing else', async () => {
    const demo = await keysOf();
    expect(demo.size).toBe(600);
    for (const same of [
      'name=other', 'model.name=other', 'description=other', 'concurrency=2', 'maximumAttempts=2', 'cellLimit=999', 'mixFingerprints=allow', 'dtype=f32',
      'deviceClass=webgpu', 'deviceClasses={cpu: {provider: cpu, memoryGiB: 1}}', 'contextTokens=[1536,128]',
      'tasks[0].contextTokens=[256]', 'tasks[0].seeds=[2]', 'tasks[0].depths=[1,0]', 'tasks[0].criterion=tokenRecall',
    ]) {
      expect(await shared(demo, same), same).toBe(1);
    }
    for (const other of [
      'tasks[0].probes=summary', 'tasks[0].localTokens=32', 'tasks[0].generateTokens=8', 'tasks[0].seeds=[4]', 'tasks[0].depths=[0.3]', 'contextTokens=[129]',
      'tasks[0].haystack.jumpProbability=0.2', 'tasks[0].needle.answerTokens=3', 'tasks[0].template={headIds: []}', 'methods=[{name: pi, factor: 4}]', 'deviceClass=cuda-80',
    ]) {
      expect(await shared(demo, other), other).toBe(0);
    }
    expect(await shared(demo, 'deviceClass=cuda-80', 'dtype=f16')).toBe(0);
    // L0 moves yarn's ramp, but plain RoPE, pi and ntk with a factor have the same tables for every L0.
    expect(await shared(demo, 'model.originalContextTokens=256')).toBe(0.7);
  });
});

const DOCUMENTS = 'documents: {kind: haystack, haystack: {kind: markov, file: ../models/starter/filler.json}, seeds: [1, 2]}';
const ONE_ARM = ['methods=[{name: pi, factor: 8}]', 'continualPretrainContextTokens=[null]'];

describe('keys of perplexity cells', () => {
  const task = (rest = '') => [...ONE_ARM, 'contextTokens=[128, 1024]', `tasks=[{kind: perplexity, ${DOCUMENTS}${rest}}]`];

  it('are those of the longest context: which lengths, last tokens and buckets are shown is a view', async () => {
    const known = await keysOf(...task());
    expect(known.size).toBe(2);
    for (const same of ['contextTokens=[256, 1024]', 'tasks[0].lastTokens=16', 'tasks[0].buckets=[64, 512]', 'tasks[0].documents.seeds=[2]', 'tasks[0].contextTokens=[1024]']) {
      expect(await shared(known, ...task(), same), same).toBe(1);
    }
    for (const other of [
      'contextTokens=[128, 2048]', 'tasks[0].windows={kind: disjoint}', 'tasks[0].documents.seeds=[3]', 'tasks[0].documents.headIds=[]', 'tasks[0].documents.haystack.rankScale=2',
    ]) {
      expect(await shared(known, ...task(), other), other).toBe(0);
    }
    // Another device computes the same cells; another dtype others.
    expect(await shared(known, ...task(), 'deviceClass=cuda-80')).toBe(1);
    expect(await shared(known, ...task(), 'deviceClass=cuda-80', 'dtype=f16')).toBe(0);
  });

  it('are one a length where the table depends on it, or where windows do', async () => {
    expect((await keysOf(...task(), 'methods=[{name: dynamic-ntk, factor: 2}]')).size).toBe(4);
    const disjoint = await keysOf(...task(', windows: {kind: disjoint}'));
    expect(disjoint.size).toBe(4);
    expect(await shared(disjoint, ...task(', windows: {kind: sliding, strideTokens: 64}'))).toBe(0);
    const sliding = await keysOf(...task(', windows: {kind: sliding, strideTokens: 64}'));
    for (const other of ['tasks[0].windows.strideTokens=32', 'tasks[0].windows.maximumWindows=2']) {
      expect(await shared(sliding, ...task(', windows: {kind: sliding, strideTokens: 64}'), other), other).toBe(0);
    }
  });
});

describe('keys of attention cells', () => {
  const task = [...ONE_ARM, 'contextTokens=[128, 256]', `tasks=[{kind: attention, ${DOCUMENTS}}]`];

  it('change with documents, rows, axes and probes; what they are compared to is a view', async () => {
    const known = await keysOf(...task);
    expect(known.size).toBe(2);
    expect(await shared(known, ...task, 'tasks[0].references=[{method: pi 8, contextTokens: 128}]')).toBe(1);
    for (const other of [
      'tasks[0].rows=32', 'tasks[0].axes=[fraction, distance]', 'tasks[0].probes=summary', 'tasks[0].documents.seeds=[1]', 'tasks[0].documents.seeds=[2, 1]', 'contextTokens=[512]',
    ]) {
      expect(await shared(known, ...task, other), other).toBe(0);
    }
  });
});
