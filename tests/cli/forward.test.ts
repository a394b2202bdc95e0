/** `ropesweep model forward`: the shapes that others build on, and what it refuses. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { forwardCommand, type ForwardReport } from '../../cli/forward.js';
import { ENGINE } from '../../domain/engine.js';
import { RopesweepError } from '../../domain/errors.js';
import { goldenJson, goldenModelFolder, starterFolder } from '../evaluation/fixtures.js';
import { ggufFile, goldenGguf } from '../model/goldenGguf.js';

let folder: string;
let tokensFile: string;
let golden: { prompt: number[]; cases: { method: string; logits: number[][]; top1: number[]; nll: number[]; attention: number[][][][] }[] };

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'ropesweep-forward-'));
  tokensFile = path.join(folder, 'tokens.json');
  golden = (await goldenJson('forward/llama-gqa.json')) as typeof golden;
  await writeFile(tokensFile, JSON.stringify(golden.prompt));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

async function printed(...words: string[]): Promise<string> {
  const lines: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  await forwardCommand().exitOverride().parseAsync([...words, '--threads', '1'], { from: 'user' });
  return lines.join('');
}
const model = goldenModelFolder('llama-gqa');

describe('ropesweep model forward', () => {
  it('prints the documented fields and shapes, equal to the golden numbers', async () => {
    const report = JSON.parse(await printed(model, '--tokens', tokensFile, '--method', 'yarn', '--factor', '4', '--rows', '8', '--span', '10:20', '--json')) as ForwardReport;
    const expected = golden.cases.find(({ method }) => method === 'yarn4');
    expect(report.logits.map((row) => row.length)).toEqual(Array.from({ length: 8 }, () => 96));
    expect(report.top1).toEqual(expected?.top1);
    expect(report.nll).toHaveLength(golden.prompt.length - 1);
    expect(report.nll[50]).toBeCloseTo(expected?.nll[50] ?? NaN, 3);
    expect(report.logits[7]?.[3]).toBeCloseTo(expected?.logits[7]?.[3] ?? NaN, 3);
    for (const [column, probe] of ['entropy', 'maxProbability', 'maxPosition', 'sinkMass', 'spanMass'].entries()) {
      const values = report[probe as 'entropy'];
      expect(values.map((heads) => heads.map((rows) => rows.length))).toEqual(Array.from({ length: 2 }, () => [8, 8, 8, 8]));
      expect(values[1]?.[3]?.[7]).toBeCloseTo(expected?.attention[1]?.[3]?.[7]?.[column] ?? NaN, 3);
    }
    expect(report.engine).toMatchObject({ onnxruntime: ENGINE.onnxruntime, provider: 'cpu', graph: ENGINE.graph, dtype: 'f32', threads: 1 });
  });

  it("uses the checkpoint's own settings without a method, and shows the last row alone without --rows", async () => {
    const report = JSON.parse(await printed(model, '--tokens', tokensFile, '--json')) as ForwardReport;
    expect(report.method).toBe('none');
    expect(report.top1).toEqual(golden.cases.find(({ method }) => method === 'default')?.top1);
    expect(report.logits).toHaveLength(1);
    expect(report.spanMass).toBeNull();
  });

  it('says what it found in words without --json', async () => {
    expect(await printed(starterFolder('base'), '--tokens', tokensFile)).toMatch(/112 tokens, method none, mean NLL \d.*\nrow 111: most likely next token \d+, mean attention entropy/);
  });

  it('takes a GGUF file, its own RoPE settings and all', async () => {
    vi.stubEnv('ROPESWEEP_CACHE', path.join(folder, 'cache'));
    const expected = await goldenGguf('llama-rope-freqs');
    const file = path.join(folder, 'gguf-tokens.json');
    await writeFile(file, JSON.stringify(expected.prompt));
    const report = JSON.parse(await printed(ggufFile('llama-rope-freqs'), '--tokens', file, '--json')) as ForwardReport;
    expect(report.method).toBe('custom rope_freqs');
    expect(report.top1).toEqual(expected.top1);
    expect(report.nll[60]).toBeCloseTo(expected.nll[60] ?? NaN, 3);
    vi.unstubAllEnvs();
  });

  it('tells a pass that diverged from one that did not, in words, in JSON and by its exit code', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const report = JSON.parse(await printed(model, '--tokens', tokensFile, '--method', 'yarn', '--factor', '2', '--attention-factor', '1e38', '--json')) as ForwardReport;
    expect(report.finite).toBe(false);
    expect(said.mock.calls.flat().join()).toContain('the pass has diverged');
    expect(process.exitCode).toBe(1);
    process.exitCode = undefined;
  });

  it('takes a single token', async () => {
    const file = path.join(folder, 'one.json');
    await writeFile(file, '[5]');
    expect(JSON.parse(await printed(model, '--tokens', file, '--json'))).toMatchObject({ nll: [], maxProbability: [[[1], [1], [1], [1]], [[1], [1], [1], [1]]] });
  });

  it.each<[string, () => string[], string, RegExp]>([
    ['tokens outside the vocabulary', () => [model, '--tokens', path.join(folder, 'big.json')], 'OPTION_INVALID', /--tokens\[1\]/],
    ['a tokens file that is not there', () => [model, '--tokens', '/nowhere.json'], 'OPTION_INVALID', /nowhere.json cannot be read as JSON/],
    ['more rows than tokens', () => [model, '--tokens', tokensFile, '--rows', '113'], 'OPTION_INVALID', /113 rows of 112 tokens/],
    ['a span beyond the tokens', () => [model, '--tokens', tokensFile, '--span', '100:113'], 'OPTION_INVALID', /100:113 ends after the 112 tokens/],
    ['a span that is none', () => [model, '--tokens', tokensFile, '--span', '20-10'], 'OPTION_INVALID', /"20-10" is not A:B/],
    ['a missing folder', () => ['/nowhere', '--tokens', tokensFile], 'CHECKPOINT_MISSING', /no such file/],
    ['target and factor that disagree', () => [model, '--tokens', tokensFile, '--method', 'pi', '--factor', '4', '--target-context', '64'], 'METHOD_INVALID', /disagree/],
  ])('refuses %s', async (_, words, code, message) => {
    await writeFile(path.join(folder, 'big.json'), '[0, 96]');
    const error: unknown = await printed(...words()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RopesweepError);
    if (!(error instanceof RopesweepError)) return;
    expect(error.code).toBe(code);
    expect(error.exitCode).toBe(2);
    expect(error.message).toMatch(message);
  });
});
