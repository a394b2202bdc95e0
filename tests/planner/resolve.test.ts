import { cp, mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import { sha256OfFile } from '../../model/weightsId.js';
import { configuredRoots } from '../../planner/paths.js';
import { parseSpec } from '../../planner/parse.js';
import { resolveSweep } from '../../planner/resolve.js';
import { demoSweep } from './demoSweep.js';

async function refusal(...set: string[]): Promise<RopesweepError> {
  const error: unknown = await demoSweep(...set).then(() => null, (reason: unknown) => reason);
  if (error instanceof RopesweepError) return error;
  throw error instanceof Error ? error : new Error('it was not refused');
}

/** A copy of the base and of one continued checkpoint that tests may damage, with a sweep file beside them. */
let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'ropesweep-planner-'));
  file = path.join(folder, 'sweep.yaml');
  await cp('models/starter/filler.json', path.join(folder, 'filler.json'));
  for (const name of ['base', 'pi-256']) await cp(path.join('models/starter', name), path.join(folder, name), { recursive: true });
});
afterAll(() => rm(folder, { recursive: true }));

const SPEC = `
name: copy
model: {name: copy, base: base, continued: "{method}-{length}"}
methods: [{name: pi, factor: 8}]
continualPretrainContextTokens: [null, 256]
contextTokens: [64, 128]
tasks: [{kind: needle, depths: [0, 1], haystack: {kind: markov, file: filler.json}, needle: {kind: symbols}}]
`;
const resolveCopy = (...set: string[]) => resolveSweep(parseSpec(SPEC, { file, set }), { file, fileSha256: sha256OfFile, roots: [folder], modelsFolder: folder });
const refusalOfCopy = async (...set: string[]): Promise<RopesweepError> => {
  const error: unknown = await resolveCopy(...set).then(() => null, (reason: unknown) => reason);
  if (error instanceof RopesweepError) return error;
  throw error instanceof Error ? error : new Error('it was not refused');
};

async function withChanged<Result>(name: string, change: (text: string) => string, run: () => Promise<Result>): Promise<Result> {
  const target = path.join(folder, name);
  const before = await readFile(target, 'utf8');
  await writeFile(target, change(before));
  try {
    return await run();
  } finally {
    await writeFile(target, before);
  }
}

describe('resolving', () => {
  it('gives the same arms from a copy elsewhere: paths are no part of an identity', async () => {
    const copied = await resolveCopy();
    const { resolved } = await demoSweep('methods=[{name: pi, factor: 8}]', 'continualPretrainContextTokens=[null,256]');
    expect(copied.arms.map(({ arm }) => arm.id)).toEqual(resolved.arms.map(({ arm }) => arm.id));
    expect(copied.tasks.map(({ task }) => task)).toEqual(resolved.tasks.map(({ task }) => task));
  });

  it('hashes each file once, and none when something is wrong', async () => {
    const hashed: string[] = [];
    const spec = parseSpec(SPEC, { file, set: [] });
    const fileSha256 = (state: { path: string }) => {
      hashed.push(path.relative(folder, state.path));
      return sha256OfFile(state);
    };
    await resolveSweep(spec, { file, fileSha256, roots: [folder], modelsFolder: folder });
    expect(hashed.toSorted()).toEqual(['base/model.safetensors', 'pi-256/model.safetensors']);
    hashed.length = 0;
    const wrong = parseSpec(SPEC, { file, set: ['contextTokens=[4]'] });
    await expect(resolveSweep(wrong, { file, fileSha256, roots: [folder], modelsFolder: folder })).rejects.toMatchObject({ code: 'PROMPT_IMPOSSIBLE' });
    expect(hashed).toEqual([]);
  });

  it('takes L0 from config.json, or from the spec', async () => {
    const lengths = async (...set: string[]) => (await resolveCopy(...set)).arms.map(({ arm }) => arm.originalContextTokens);
    expect(await lengths()).toEqual([128, 128]);
    expect(await lengths('model.originalContextTokens=64')).toEqual([64, 64]);
  });

  it('excludes a continued checkpoint that has no folder, with the reason', async () => {
    const { missing, arms } = await resolveCopy('continualPretrainContextTokens=[null,256,512]');
    expect(arms).toHaveLength(2);
    expect(missing).toEqual([{ model: 'copy', method: 'pi 8', continualPretrainContextTokens: 512, cells: 4, reason: 'there is no folder pi-512' }]);
    const unlisted = await resolveCopy('model.continued=[{method: pi 8, continualPretrainContextTokens: 256, path: pi-256}]', 'continualPretrainContextTokens=[256,512]');
    expect(unlisted.missing[0]?.reason).toBe('model.continued lists none for pi 8 at 512');
    expect(unlisted.arms[0]?.arm.label).toBe('pi 8, continued at 256');
  });
});

describe('a sweep is refused before anything starts', () => {
  it('with every problem of checkpoint, haystack, needle and lengths in one message', async () => {
    const error = await refusal('model.base=../models/nope', 'contextTokens=[5,128]', 'tasks[0].haystack.file=nofile.json');
    expect([error.code, error.exitCode]).toEqual(['CHECKPOINT_MISSING', 2]);
    expect(error.problems.map(({ where }) => where)).toEqual([
      '--set model.base=../models/nope: ../models/nope',
      '--set contextTokens=[5,128]: contextTokens[0]',
      expect.stringMatching(/^sweeps\/demo\.yaml:\d+:5 tasks\[0\]\.haystack: nofile\.json$/),
    ]);
    expect(error.problems[0]?.mend).toContain('model.config');
    expect(error.problems[1]?.mend).toBe('Use at least 13.');
  });

  it('if token ids leave the vocabulary, overlap, or are too few for the answer', async () => {
    const error = await refusal('tasks[0].needle.keys={first: 90, count: 8}', 'tasks[0].needle.values={first: 255, count: 3}', 'tasks[0].template.headIds=[300]');
    expect(error.problems.map(({ what }) => what)).toEqual([
      '4 answer tokens cannot be drawn without replacement from 3 values',
      "values: ids 255 to 257 are outside of the model's vocabulary of 256",
      "head: ids 300 are outside of the model's vocabulary of 256",
      'filler (ids 4 to 95) and keys (ids 90 to 97) overlap',
    ]);
  });

  it('if a method cannot be, or stands there twice in two spellings', async () => {
    const error = await refusal('methods=[{name: ntk, factor: 2, base: 1000}, {name: pi, factor: 8}, {name: pi, targetContextTokens: 1024}, {name: pi, factor: 8, targetContextTokens: 512}]');
    expect(error.code).toBe('METHOD_INVALID');
    expect(error.problems).toHaveLength(3);
    expect(error.problems[1]?.what).toBe('it is the same method as methods[1] (pi 8)');
  });

  it('if the grid is larger than its limit', async () => {
    expect((await refusal('cellLimit=599')).problems).toEqual([
      { where: '--set cellLimit=599', what: 'the sweep has 600 cells, the limit is 599', mend: 'Shorten an axis, or raise cellLimit (--set cellLimit=600).' },
    ]);
  });

  it('if two tasks would measure the same cells', async () => {
    const task = 'kind: needle, haystack: {kind: markov, file: ../models/starter/filler.json}, needle: {kind: symbols}';
    const error = await refusal(`tasks[1]={${task}, depths: [0.1, 0.5], seeds: [2]}`);
    expect(error.problems.map(({ what }) => what)).toEqual(['it has cells that an earlier task has too (128 tokens, depth 0.5, seed 2)']);
    const apart = await demoSweep(`tasks[1]={${task}, depths: [0.1], seeds: [2]}`);
    expect(apart.resolved.tasks).toHaveLength(2);
  });

  it('if no combination has a checkpoint', async () => {
    expect((await refusal('methods=[none]', 'continualPretrainContextTokens=[256]')).message).toContain('none at 256: there is no folder');
  });

  it('if one folder would stand for two checkpoints', async () => {
    expect((await refusal('model.continued=../models/starter/pi-{length}')).message).toContain('"none, continued at 256" and "pi 8, continued at 256" would both use ../models/starter/pi-256');
    const error = await refusalOfCopy('model.continued=[{method: pi, continualPretrainContextTokens: 256, path: base}]');
    expect(error.message).toContain('has the same weights as the base');
  });

  it('if a path leaves the roots, by .. or by a symbolic link', async () => {
    expect((await refusalOfCopy('model.base=../..')).code).toBe('PATH_OUTSIDE_ROOTS');
    await symlink(path.resolve('models/starter/base'), path.join(folder, 'link'));
    expect((await refusalOfCopy('model.base=link')).code).toBe('PATH_OUTSIDE_ROOTS');
    const spec = parseSpec(SPEC, { file, set: ['model.base=link'] });
    await expect(resolveSweep(spec, { file, fileSha256: sha256OfFile, roots: [folder, process.cwd()], modelsFolder: folder })).resolves.toBeDefined();
  });

  it('if a continued checkpoint is damaged or of another architecture', async () => {
    const weights = path.join(folder, 'pi-256', 'model.safetensors');
    const whole = await readFile(weights);
    const handle = await open(weights, 'r+');
    await handle.truncate(1000);
    await handle.close();
    try {
      expect((await refusalOfCopy()).code).toBe('CHECKPOINT_INVALID');
    } finally {
      await writeFile(weights, whole);
    }
    const epsilon = (text: string) => text.replace('"rms_norm_eps": 0.00001', '"rms_norm_eps": 0.001');
    expect((await withChanged('pi-256/config.json', epsilon, () => refusalOfCopy())).message).toContain('rmsNormEpsilon 0.001 against 0.00001');
  });

  it('if a continued checkpoint says another method than the sweep', async () => {
    const other = await withChanged('pi-256/config.json', scaled(4), () => refusalOfCopy());
    expect(other.problems[0]?.what).toContain("says pi 4 with base 500, which is neither the base's plain RoPE nor pi 8");
    const same = await withChanged('pi-256/config.json', scaled(8), () => resolveCopy());
    expect(same.arms).toHaveLength(2);
  });

  it('before anything is laid out, if the grid is beyond its limit', async () => {
    const seeds = Array.from({ length: 50_000 }, (_, seed) => seed);
    // A context too short would be told too, were the prompts laid out.
    const error = await refusal(`tasks[0].seeds=[${seeds.join(',')}]`, 'contextTokens=[5]');
    expect(error.problems.map(({ what }) => what)).toEqual(['the sweep has 2500000 cells, the limit is 100000']);
  });
});

/** config.json of a starter model that names position interpolation. */
const scaled = (factor: number) => (text: string) => text.replace('"rope_theta": 500', `"rope_theta": 500, "rope_scaling": {"rope_type": "linear", "factor": ${factor}}`);

describe("a checkpoint's own RoPE settings", () => {
  it('are replaced by the method of the sweep, and every arm of the base says so', async () => {
    const notices = async (...set: string[]) => (await resolveCopy(...set)).arms.map(({ arm }) => [arm.label, arm.notice]);
    expect(await notices()).toEqual([['pi 8', undefined], ['pi 8, continued at 256', undefined]]);
    await withChanged('base/config.json', scaled(4), async () => {
      expect(await notices('continualPretrainContextTokens=[null]', 'methods=[none, {name: pi, factor: 4}, {name: pi, factor: 8}]')).toEqual([
        ['none', "the checkpoint's own pi 4 is replaced by plain RoPE"],
        ['pi 4', undefined],
        ['pi 8', "the checkpoint's own pi 4 is replaced by pi 8"],
      ]);
    });
  });
});

describe('roots', () => {
  it('are the working directory and the folder of the sweep file, and those that ROPESWEEP_ROOTS adds', () => {
    expect(configuredRoots('/a/b/sweep.yaml', {})).toEqual([process.cwd(), '/a/b']);
    expect(configuredRoots('/a/b/sweep.yaml', { ROPESWEEP_ROOTS: ['/models', '/data'].join(path.delimiter) })).toEqual([process.cwd(), '/a/b', '/models', '/data']);
  });
});
