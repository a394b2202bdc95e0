import { describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import { compileCondition, POINT_VARIABLES, type VariableValues } from '../../planner/condition.js';

const POINT: VariableValues = {
  model: 'starter', method: 'yarn', methodLabel: 'yarn 8', factor: 8, continualPretrainContextTokens: 256, originalContextTokens: 128,
  contextTokens: 1024, task: 0, taskKind: 'needle', depth: 0.5, seed: 3, document: null,
};
const compile = (text: string) => compileCondition(text, POINT_VARIABLES, '--where', 'OPTION_INVALID');
const holds = (text: string, values: VariableValues = {}): boolean => compile(text).holds({ ...POINT, ...values });

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof RopesweepError) return error.problems.map(({ where, what, mend }) => `${where}: ${what} | ${mend ?? ''}`).join();
    throw error;
  }
  throw new Error('it was not refused');
}

describe('a condition', () => {
  it('computes with numbers however they are written', () => {
    for (const text of [
      'contextTokens <= 8 * originalContextTokens', 'contextTokens <= 4.0 * continualPretrainContextTokens', 'depth == 0.5', 'depth < 1', 'contextTokens % 2 == 0',
      'contextTokens in [512, 1024]', 'depth in [0, 0.5, 1]', 'contextTokens == (factor == 8 ? 1024 : 1.5)', 'contextTokens / 3 > 341', '-seed < 0',
      'method in ["ntk", "yarn"] && methodLabel != "ntk 8"', 'methodLabel.startsWith("yarn")', 'size(method) == 4', '[1, 3].exists(x, x == seed)',
    ]) {
      expect(holds(text), text).toBe(true);
    }
    expect(holds('contextTokens < 1024')).toBe(false);
    expect(holds('depth == 1', { depth: 1 })).toBe(true);
  });

  it('compares with null', () => {
    const text = 'continualPretrainContextTokens == null || contextTokens <= 2 * continualPretrainContextTokens';
    expect([holds(text), holds(text, { continualPretrainContextTokens: null }), holds(text, { contextTokens: 512 })]).toEqual([false, true, true]);
    expect([holds('document == null'), holds('document != null'), holds('continualPretrainContextTokens in [null, 256]')]).toEqual([true, false, true]);
  });

  it('names the variables it reads', () => {
    expect([...compile('contextTokens < 5 || [1].exists(x, x == seed)').reads].sort()).toEqual(['contextTokens', 'seed']);
  });

  it('is refused for a wrong name, a wrong type or no condition, with what would be right', () => {
    expect(refusal(() => compile('contextToken < 5'))).toMatch(/^--where: Unknown variable: contextToken in "contextToken" \| Did you mean contextTokens\? Known: model, method,/);
    expect(refusal(() => compile('depth < "a"'))).toBe('--where: these do not go together: number < text | depth is a number; text stands in quotes.');
    expect(refusal(() => compile('method == 3'))).toBe('--where: these do not go together: text == number | method is text; text stands in quotes.');
    expect(refusal(() => compile('depth =='))).toBe('--where: it ends too early | Write it as in contextTokens <= 4096 && method != "none".');
    expect(refusal(() => compile('contextTokens'))).toBe('--where: it is a number, not true or false | Compare it with something: contextTokens <= 4096.');
  });

  it('that computes with a null is told so, with the way round it', () => {
    expect(refusal(() => holds('factor * 2 > 1', { factor: null }))).toBe(
      '--where: it cannot be decided at factor null: these do not go together: null * number | Say what holds for null: factor == null || (factor * 2 > 1).',
    );
  });
});
