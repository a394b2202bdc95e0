/** `ropesweep rope`: the shapes that others build on, and what it refuses. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ropeCommand, type RopeReport } from '../../cli/rope.js';
import { RopesweepError } from '../../domain/errors.js';
import { methodSchema } from '../../domain/method.js';
import { goldenModelFolder } from '../evaluation/fixtures.js';

/** Parameters whose option is not their name and a number. */
const FLAGS: Record<string, string[]> = { base: ['--new-base', '2'], targetContextTokens: ['--target-context', '2'], truncate: ['--no-truncate'] };

afterEach(() => vi.restoreAllMocks());

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
    expect(Object.keys(yarn)).toEqual(expect.arrayContaining(['method', 'rotarySize', 'base', 'originalContextTokens', 'inverseFrequencies', 'attentionFactor', 'wavelengths', 'effectiveScale']));
    expect(yarn).toMatchObject({ method: 'yarn', rotarySize: 128, base: 10_000, originalContextTokens: 4096 });
    expect(yarn.inverseFrequencies).toHaveLength(64);
    expect(yarn.inverseFrequencies[32]).toBeCloseTo(0.005673077, 9);
    expect(yarn.attentionFactor).toBeCloseTo(1.2772588722239782, 15);
    expect(yarn.wavelengths[0]).toBeCloseTo(2 * Math.PI, 12);
    expect(yarn.effectiveScale).toBeCloseTo(16, 10);
  });

  it('takes every parameter of every method', async () => {
    expect((await report('pi', '--target-context', '32768')).parameters).toEqual({ factor: 8 });
    expect((await report('ntk', '--new-base', '1000000')).effectiveScale).toBeCloseTo(93.06, 2);
    expect((await report('yarn', '--factor', '8', '--beta-fast', '16', '--beta-slow', '2', '--no-truncate', '--attention-factor', '1.5')).parameters).toEqual({
      factor: 8, betaFast: 16, betaSlow: 2, truncate: false, attentionFactor: 1.5,
    });
    expect((await report('yarn', '--factor', '8', '--mscale', '1', '--mscale-all-dim', '0.8')).attentionFactor).toBeCloseTo((0.1 * Math.log(8) + 1) / (0.08 * Math.log(8) + 1), 14);
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

  it('prints a readable table without --json', async () => {
    const text = await printed('yarn', '--factor', '4', '--rotary-size', '8');
    expect(text).toContain('yarn 4: rotary size 8, base 10000, trained context 4096 tokens');
    expect(text).toMatch(/│ +3 │ +0\.00025000000 │/);
  });

  it.each<[string, string[], string, RegExp]>([
    ['an unknown method', ['xpos'], 'METHOD_INVALID', /xpos: this is not one of the methods none, pi, ntk, yarn/],
    ['a target and a factor that disagree', ['yarn', '--factor', '8', '--target-context', '65536'], 'METHOD_INVALID', /factor 8 and targetContextTokens 65536 disagree/],
    ['a method without its extent', ['pi'], 'METHOD_INVALID', /neither factor nor targetContextTokens/],
    ['a parameter of another method', ['pi', '--factor', '8', '--beta-fast', '32'], 'METHOD_INVALID', /--beta-fast: pi has no such parameter/],
    ['an explicit base for a method that has none', ['yarn', '--factor', '8', '--new-base', '5'], 'METHOD_INVALID', /--new-base: yarn has no such parameter/],
    ['a factor below 1', ['pi', '--factor', '0.5'], 'METHOD_INVALID', /--factor/],
    ['a number that is none', ['pi', '--factor', 'eight'], 'OPTION_INVALID', /--factor: "eight" is not a number/],
    ['a negative context', ['pi', '--factor', '8', '--original-context', '-1'], 'OPTION_INVALID', /--original-context/],
    ['an odd rotary size', ['none', '--rotary-size', '7'], 'METHOD_INVALID', /7 is not an even number/],
    ['parameters without a method', ['--factor', '8'], 'OPTION_INVALID', /--factor: parameters of a method are given, but no method/],
    ['a folder without config.json', ['--config', '/nowhere'], 'CHECKPOINT_MISSING', /no such file/],
    ['two rotary sizes', ['--config', '/nowhere', '--rotary-size', '8'], 'OPTION_INVALID', /the rotary size is that of --config/],
  ])('refuses %s', async (_, words, code, message) => {
    const error = await refusal(...words);
    expect(error.code).toBe(code);
    expect(error.exitCode).toBe(2);
    expect(error.message).toMatch(message);
  });
});
