/** `ropesweep rope`: the shapes that others build on, and what it refuses. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { ropeCommand, type RopeReport } from '../../cli/rope.js';
import { RopesweepError } from '../../domain/errors.js';
import { methodSchema } from '../../domain/method.js';
import { goldenModelFolder } from '../evaluation/fixtures.js';

/** Parameters whose option is not their name and a number. */
const FLAGS: Record<string, string[]> = {
  base: ['--new-base', '2'],
  targetContextTokens: ['--target-context', '2'],
  truncate: ['--no-truncate'],
  file: ['--table', 'table.json'],
};
const configFile = (name: string): string => fileURLToPath(new URL(`../golden/configs/${name}.json`, import.meta.url));
const GGUF = fileURLToPath(new URL('../golden/gguf/llama-rope-yarn.gguf', import.meta.url));

const own = mkdtempSync(path.join(tmpdir(), 'ropesweep-rope-'));
afterAll(() => {
  rmSync(own, { recursive: true });
});
afterEach(() => vi.restoreAllMocks());

const written = (name: string, json: unknown): string => {
  const file = path.join(own, name);
  writeFileSync(file, typeof json === 'string' ? json : JSON.stringify(json));
  return file;
};
/** Notes for the person, which stay out of standard output. */
const notes = (): string[] => {
  const lines: string[] = [];
  vi.spyOn(console, 'error').mockImplementation((line) => lines.push(String(line)));
  return lines;
};

async function printed(...words: string[]): Promise<string> {
  const lines: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  await ropeCommand().exitOverride().parseAsync(words, { from: 'user' });
  return lines.join('');
}
const report = async (...words: string[]): Promise<RopeReport> => JSON.parse(await printed(...words, '--json')) as RopeReport;
const refusal = async (...words: string[]): Promise<RopesweepError> => {
  const error: unknown = await printed(...words).catch((reason: unknown) => reason);
  if (error instanceof RopesweepError) return error;
  throw new Error(`it printed ${String(error)}`);
};

describe('ropesweep rope', () => {
  it('prints the documented fields, in float64', async () => {
    const yarn = await report('yarn', '--rotary-size', '128', '--base', '10000', '--original-context', '4096', '--factor', '16');
    expect(Object.keys(yarn)).toEqual(expect.arrayContaining(['method', 'rotarySize', 'base', 'originalContextTokens', 'inverseFrequencies', 'attentionFactor', 'wavelengths', 'effectiveScale', 'logitScale']));
    expect(yarn).toMatchObject({ method: 'yarn', rotarySize: 128, base: 10_000, originalContextTokens: 4096 });
    expect(yarn.inverseFrequencies).toHaveLength(64);
    expect(yarn.inverseFrequencies[32]).toBeCloseTo(0.005673077, 9);
    expect(yarn.attentionFactor).toBeCloseTo(1.2772588722239782, 15);
    expect(yarn.wavelengths[0]).toBeCloseTo(2 * Math.PI, 12);
    expect(yarn.effectiveScale).toBeCloseTo(16, 10);
    expect(yarn.logitScale).toBeCloseTo(1.6313902, 6);
    expect(yarn.length).toBeNull();
  });

  it('takes every parameter of every method', async () => {
    expect((await report('pi', '--target-context', '32768')).parameters).toEqual({ factor: 8 });
    expect((await report('ntk', '--new-base', '1000000')).effectiveScale).toBeCloseTo(93.06, 2);
    expect((await report('yarn', '--factor', '8', '--beta-fast', '16', '--beta-slow', '2', '--no-truncate', '--attention-factor', '1.5')).parameters).toEqual({
      factor: 8, betaFast: 16, betaSlow: 2, truncate: false, attentionFactor: 1.5,
    });
    expect((await report('dynamic-ntk', '--target-context', '16384', '--length', '16384')).effectiveScale).toBeCloseTo(4 * 4 - 3, 10);
    expect((await report('llama3', '--factor', '8', '--low-freq-factor', '2', '--high-freq-factor', '8')).parameters).toEqual({ factor: 8, lowFreqFactor: 2, highFreqFactor: 8 });
    expect((await report('yarn', '--factor', '8', '--mscale', '1', '--mscale-all-dim', '0.8')).attentionFactor).toBeCloseTo((0.1 * Math.log(8) + 1) / (0.08 * Math.log(8) + 1), 14);
  });

  it('takes lists with commas or from a file', async () => {
    const long = written('long.json', [1, 2, 3, 4]);
    const longrope = await report('longrope', '--rotary-size', '8', '--short-factor', '1, 1.5,2,2.5e0', '--long-factor', long, '--factor', '32', '--length', '8192');
    expect(longrope.parameters).toEqual({ shortFactor: [1, 1.5, 2, 2.5], longFactor: [1, 2, 3, 4], factor: 32 });
    expect(longrope).toMatchObject({ length: 8192, attentionFactor: Math.sqrt(1 + Math.log(32) / Math.log(4096)) });
    expect(longrope.effectiveScale).toBeCloseTo(4, 12);
    expect((await report('custom', '--rotary-size', '8', '--inverse-frequencies', '1,0.5,0.25,0.125', '--attention-factor', '1.5')).logitScale).toBe(2.25);
  });

  it('takes as a custom table what it printed', async () => {
    const yarn = await report('yarn', '--factor', '8', '--rotary-size', '32');
    const custom = await report('custom', '--table', written('as-yarn.json', yarn), '--rotary-size', '32');
    expect(custom).toMatchObject({ method: 'custom', label: 'custom as-yarn', inverseFrequencies: yarn.inverseFrequencies, attentionFactor: yarn.attentionFactor, effectiveScale: yarn.effectiveScale });
  });

  it('lists every method with its options under --help', async () => {
    const lines: string[] = [];
    const command = ropeCommand().exitOverride().configureOutput({ writeOut: (text) => lines.push(text) });
    await command.parseAsync(['--help'], { from: 'user' }).catch(() => undefined);
    const help = lines.join('');
    for (const { shape, description } of methodSchema.options) expect(help).toContain(`  ${shape.name.value.padEnd(11)}  ${description ?? ''}\n`);
    expect(help).toContain('--short-factor --long-factor --factor --target-context --attention-factor\n');
  });

  it('offers an option for every parameter of every method', async () => {
    const help = ropeCommand().helpInformation();
    for (const { shape } of methodSchema.options) {
      for (const parameter of Object.keys(shape).filter((key) => key !== 'name')) {
        const error = await refusal('none', ...(FLAGS[parameter] ?? [`--${parameter.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`, '2']));
        expect(error.message).toMatch(/: none has no such parameter$/);
        expect(help).toContain(error.problems[0]?.where);
      }
    }
  });

  it('takes geometry and method from a config.json', async () => {
    const own = await report('--config', goldenModelFolder('llama-tied'));
    expect(own).toMatchObject({ method: 'none', rotarySize: 16, base: 500_000, originalContextTokens: 64, effectiveScale: 1 });
    expect(await report('pi', '--factor', '4', '--config', goldenModelFolder('llama-tied'))).toMatchObject({ method: 'pi', rotarySize: 16, base: 500_000 });
  });

  it('takes a config.json by its name, and a GGUF file', async () => {
    expect(await report('--config', configFile('legacy-llama31'))).toMatchObject({ method: 'llama3', parameters: { factor: 8 }, base: 500_000, originalContextTokens: 8192 });
    expect(await report('--config', GGUF)).toMatchObject({ method: 'yarn', parameters: { factor: 4 } });
  });

  it('says how settings were read and what replaces them, beside the results', async () => {
    const said = notes();
    await report('pi', '--factor', '8', '--config', configFile('legacy-yarn-factor-disagrees'));
    expect(said).toEqual([
      `note: ${configFile('legacy-yarn-factor-disagrees')}: rope settings (yarn): factor 4 is not max_position_embeddings / original_max_position_embeddings = 512 / 64; the factor holds`,
      "note: the checkpoint's own yarn 4 is replaced by pi 8",
    ]);
  });

  it('prints a readable table without --json', async () => {
    const text = await printed('yarn', '--factor', '4', '--rotary-size', '8');
    expect(text).toContain('yarn 4: rotary size 8, base 10000, trained context 4096 tokens');
    expect(text).toContain('effective scale 4.00000, attention factor 1.13863, logit scale 1.29648');
    expect(text).toMatch(/│ +3 │ +0\.00025000000 │/);
  });

  it.each<[string, string[], string, RegExp]>([
    ['an unknown method', ['xpos'], 'METHOD_INVALID', /xpos: this is not one of the methods none, pi, ntk, dynamic-ntk, yarn, longrope, llama3, custom/],
    ['a target and a factor that disagree', ['yarn', '--factor', '8', '--target-context', '65536'], 'METHOD_INVALID', /factor 8 and targetContextTokens 65536 disagree/],
    ['a method without its extent', ['pi'], 'METHOD_INVALID', /neither factor nor targetContextTokens/],
    ['a parameter of another method', ['pi', '--factor', '8', '--beta-fast', '32'], 'METHOD_INVALID', /--beta-fast: pi has no such parameter/],
    ['an explicit base for a method that has none', ['yarn', '--factor', '8', '--new-base', '5'], 'METHOD_INVALID', /--new-base: yarn has no such parameter/],
    ['a factor below 1', ['pi', '--factor', '0.5'], 'METHOD_INVALID', /--factor/],
    ['a number that is none', ['pi', '--factor', 'eight'], 'OPTION_INVALID', /--factor: "eight" is not a number/],
    ['a negative context', ['pi', '--factor', '8', '--original-context', '-1'], 'OPTION_INVALID', /--original-context/],
    ['an odd rotary size', ['none', '--rotary-size', '7'], 'METHOD_INVALID', /7 is not an even number/],
    ['parameters without a method', ['--factor', '8'], 'OPTION_INVALID', /--factor: parameters of a method are given, but no method/],
    ['a length-dependent method without a length', ['dynamic-ntk', '--factor', '2'], 'OPTION_INVALID', /--length: the table of dynamic-ntk depends on the sequence length/],
    ['longrope without a list', ['longrope', '--factor', '2', '--short-factor', '1,1'], 'METHOD_INVALID', /--long-factor: longrope needs it/],
    ['lists of another length', ['longrope', '--factor', '2', '--short-factor', '1,1', '--long-factor', '1,1', '--length', '9'], 'METHOD_INVALID', /it has 2 numbers; 128 rotating dimensions are 64 pairs/],
    ['a list with a hole', ['longrope', '--short-factor', '1,,1'], 'OPTION_INVALID', /--short-factor: "" is not a number/],
    ['a list in a missing file', ['longrope', '--short-factor', '/nowhere.json'], 'OPTION_INVALID', /--short-factor: \/nowhere.json: there is no such file/],
    ['a list that is none', ['longrope', '--short-factor', configFile('new-yarn')], 'OPTION_INVALID', /it is not a list of numbers/],
    ['custom without numbers', ['custom'], 'METHOD_INVALID', /there are no inverse frequencies/],
    ['a missing table', ['custom', '--table', '/nowhere.json'], 'OPTION_INVALID', /--table: \/nowhere.json: there is no such file/],
    ['a table that is none', ['custom', '--table', configFile('new-yarn')], 'METHOD_INVALID', /new-yarn.json: inverseFrequencies/],
    ['a folder without config.json', ['--config', '/nowhere'], 'CHECKPOINT_MISSING', /no such file/],
    ['two rotary sizes', ['--config', '/nowhere', '--rotary-size', '8'], 'OPTION_INVALID', /the rotary size is that of --config/],
  ])('refuses %s', async (_, words, code, message) => {
    const error = await refusal(...words);
    expect(error.code).toBe(code);
    expect(error.exitCode).toBe(2);
    expect(error.message).toMatch(message);
  });
});
