/** Methods of a sweep file: every one is planned with its tables, and a table of one's own comes out of a file. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import { sha256OfFile } from '../../model/weightsId.js';
import { parseSpec } from '../../planner/parse.js';
import { resolveSweep } from '../../planner/resolve.js';

const PAIRS = 16;
const FREQUENCIES = Array.from({ length: PAIRS }, (_, pair) => 500 ** (-pair / PAIRS) / 3);
const ONES = JSON.stringify(Array(PAIRS).fill(1));
const TWOS = JSON.stringify(Array(PAIRS).fill(2));

let outside: string;
let folder: string;
let file: string;
beforeAll(async () => {
  outside = await mkdtemp(path.join(tmpdir(), 'ropesweep-methods-'));
  folder = path.join(outside, 'sweeps');
  file = path.join(folder, 'sweep.yaml');
  await mkdir(folder);
  await cp('models/starter/filler.json', path.join(folder, 'filler.json'));
  await cp('models/starter/base', path.join(folder, 'base'), { recursive: true });
  const table = JSON.stringify({ inverseFrequencies: FREQUENCIES, attentionFactor: 1.5 });
  for (const name of [path.join(folder, 'thirds.json'), path.join(outside, 'thirds.json')]) await writeFile(name, table);
});
afterAll(() => rm(outside, { recursive: true }));

const spec = (methods: string): string => `
name: methods
model: {name: starter, base: base}
methods: ${methods}
contextTokens: [64, 256]
tasks: [{kind: needle, depths: [0], haystack: {kind: markov, file: filler.json}, needle: {kind: symbols}}]
`;
const armsOf = async (methods: string) => {
  const options = { file, fileSha256: sha256OfFile, roots: [folder], modelsFolder: path.join(folder, 'models') };
  return (await resolveSweep(parseSpec(spec(methods), { file, set: [] }), options)).arms.map(({ arm }) => arm);
};

describe('methods of a sweep', () => {
  it('all have their label, scales and tables in the plan', async () => {
    const arms = await armsOf(
      `[none, {name: pi, factor: 8}, {name: ntk, factor: 8}, {name: dynamic-ntk, factor: 2}, {name: yarn, factor: 8}, {name: longrope, targetContextTokens: 1024, shortFactor: ${ONES}, longFactor: ${TWOS}}, {name: llama3, factor: 8}, {name: custom, file: thirds.json}]`,
    );
    expect(arms.map(({ methodLabel }) => methodLabel.replace(/\b[0-9a-f]{6}$/, '?'))).toEqual(['none', 'pi 8', 'ntk 8', 'dynamic-ntk 2', 'yarn 8', 'longrope 8, lists ?', 'llama3 8', 'custom thirds']);
    expect(arms.map(({ tables }) => Object.keys(tables).join())).toEqual(['*', '*', '*', '64,256', '*', '64,256', '*', '*']);
    // At 256 tokens, twice the trained context.
    expect(arms.map(({ effectiveScale }) => Number(effectiveScale.toFixed(9)))).toEqual([1, 8, 8, 3, 8, 2, 8, 3]);
    expect(arms.at(-1)?.logitScale).toBe(2.25);
  });

  it('hold the numbers of a custom table: neither identity nor worker needs the file', async () => {
    const [fromFile] = await armsOf('[{name: custom, file: thirds.json}]');
    const [inline] = await armsOf(`[{name: custom, label: thirds, inverseFrequencies: ${JSON.stringify(FREQUENCIES)}, attentionFactor: 1.5}]`);
    expect(fromFile?.method).toEqual({ name: 'custom', label: 'thirds', inverseFrequencies: FREQUENCIES, attentionFactor: 1.5 });
    expect(fromFile?.id).toBe(inline?.id);
  });

  it.each([
    ['[{name: custom, file: ../thirds.json}]', 'PATH_OUTSIDE_ROOTS', /outside of/],
    ['[{name: custom, file: nowhere.json}]', 'METHOD_INVALID', /nowhere.json: there is no such file/],
    ['[{name: custom, file: filler.json}]', 'METHOD_INVALID', /filler.json: inverseFrequencies/],
    ['[custom]', 'SPEC_INVALID', /"custom" needs parameters/],
    ['[{name: custom}]', 'METHOD_INVALID', /there are no inverse frequencies/],
    [`[{name: custom, file: thirds.json}, {name: custom, label: thirds, inverseFrequencies: ${ONES}}]`, 'METHOD_INVALID', /another method of the sweep is called custom thirds too/],
    ['[{name: dynamic-ntk}]', 'SPEC_INVALID', /dynamic-ntk does not say how far it reaches/],
    [`[{name: longrope, factor: 8, shortFactor: [1], longFactor: ${TWOS}}]`, 'METHOD_INVALID', /shortFactor: it has 1 numbers; 32 rotating dimensions are 16 pairs/],
    ['[{name: longrope, factor: 8}]', 'SPEC_INVALID', /shortFactor: it is missing/],
    ['[{name: llama3, factor: 8, highFreqFactor: 1}]', 'METHOD_INVALID', /highFreqFactor 1 is not above lowFreqFactor 1/],
    ['[{name: dynamic-nkt, factor: 2}]', 'SPEC_INVALID', /unknown method "dynamic-nkt"/],
  ])('%s is refused', async (methods, code, message) => {
    const error: unknown = await armsOf(methods).then(() => null, (reason: unknown) => reason);
    if (!(error instanceof RopesweepError)) throw error;
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});
