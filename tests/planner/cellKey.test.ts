import { describe, expect, it } from 'vitest';
import { id, type TableDigest, type WeightsId } from '../../domain/ids.js';
import { cellKeys, sharedIngredients, type CellIngredients } from '../../planner/cellKey.js';
import { expandGrid } from '../../planner/grid.js';
import { digest } from '../../domain/identity.js';
import { demoSweep } from './demoSweep.js';

const keyOf = ({ tableDigest, contextTokens, axes, ...shared }: CellIngredients) => cellKeys(shared)({ tableDigest, contextTokens, axes });

const ingredients: CellIngredients = {
  taskKind: 'needle',
  weightsId: id<WeightsId>('weights'),
  tokenizerDigest: 'tokenizer',
  templateDigest: 'template',
  haystackDigest: 'haystack',
  needleDigest: 'needle',
  dtype: 'f32',
  decoding: { answer: 'teacherForced', failing: 'greedy' },
  probes: { stored: 'heads', names: ['entropy', 'sinkMass'] },
  numericsVersion: 1,
  tableDigest: id<TableDigest>('table'),
  contextTokens: 1024,
  axes: { depth: 0.5, seed: 1 },
};

/** One change of each ingredient that design says determines a cell's numbers. */
const CHANGES: { readonly [Name in keyof CellIngredients]: CellIngredients[Name] | readonly CellIngredients[Name][] } = {
  taskKind: 'other' as 'needle',
  weightsId: id<WeightsId>('other'),
  tokenizerDigest: 'other',
  templateDigest: 'other',
  haystackDigest: 'other',
  needleDigest: 'other',
  dtype: 'f16' as 'f32',
  decoding: { answer: 'teacherForced', failing: 'none' },
  probes: [
    { stored: 'summary', names: ['entropy', 'sinkMass'] },
    { stored: 'heads', names: ['entropy'] },
  ],
  numericsVersion: 2,
  tableDigest: id<TableDigest>('other'),
  contextTokens: 1025,
  axes: [
    { depth: 0.25, seed: 1 },
    { depth: 0.5, seed: 2 },
  ],
};

describe('the cell key', () => {
  const keys = new Set([keyOf(ingredients)]);
  for (const [name, changes] of Object.entries(CHANGES)) {
    it(`changes with ${name}`, () => {
      for (const change of Array.isArray(changes) ? (changes as unknown[]) : [changes]) {
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
    expect(keyOf(ingredients)).toBe('6ab9fe999b299edcccb171a3f0b99274b229f05d41206bb7ab6cb1a72156a4c1');
  });

  it('takes nothing of an arm but its weights, and nothing of a task but its digests and probes', async () => {
    const { resolved } = await demoSweep();
    const arm = resolved.arms[1]?.arm;
    const [task] = resolved.tasks;
    if (arm === undefined || task === undefined) throw new Error('the demo has an arm and a task');
    const shared = sharedIngredients(arm, task, 'f32');
    const renamed = { ...arm, label: 'x', model: 'x', id: arm.checkpoint.weightsId as never, checkpoint: { ...arm.checkpoint, folder: '/elsewhere', continualPretrainContextTokens: 7 } };
    expect(sharedIngredients(renamed, task, 'f32')).toEqual(shared);
  });

  it('of a real plan does not move: the first key of the demo, and one over all of them', async () => {
    const { spec, resolved } = await demoSweep();
    const keys = expandGrid(spec, resolved).map((cell) => cell.key);
    expect(keys[0]).toBe('7280bf7ee8bf9131aa98fbf12cada11fa1aba95458cd84d34f2b4e613d651ed1');
    expect(digest(keys)).toBe('99599e54ce40600cad6d089234a938df3df7c10ff142fc4ad8a319d77f992a53');
  });

  it('of the demo changes with what determines numbers and with nothing else', async () => {
    const keysOf = async (...set: string[]) => {
      const { spec, resolved } = await demoSweep(...set);
      return new Set<string>(expandGrid(spec, resolved).map((cell) => cell.key));
    };
    const demo = await keysOf();
    const shared = async (...set: string[]) => {
      const other = await keysOf(...set);
      return [...other].filter((key) => demo.has(key)).length / other.size;
    };
    expect(demo.size).toBe(600);
    for (const same of ['name=other', 'model.name=other', 'description=other', 'concurrency=2', 'maximumAttempts=2', 'cellLimit=999', 'deviceClass=big', 'mixFingerprints=allow', 'contextTokens=[1536,128]', 'tasks[0].seeds=[2]', 'tasks[0].depths=[1,0]']) {
      expect(await shared(same), same).toBe(1);
    }
    for (const other of ['tasks[0].probes=summary', 'tasks[0].seeds=[4]', 'contextTokens=[129]', 'tasks[0].depths=[0.3]', 'tasks[0].haystack.jumpProbability=0.2', 'tasks[0].needle.answerTokens=3', 'tasks[0].template={headIds: []}', 'methods=[{name: pi, factor: 4}]']) {
      expect(await shared(other), other).toBe(0);
    }
    // L0 moves yarn's ramp, but plain RoPE, pi and ntk with a factor have the same tables for every L0.
    expect(await shared('model.originalContextTokens=256')).toBe(0.7);
  });
});
