import { describe, expect, it } from 'vitest';
import { ERRORS, EXIT, outOfMemoryIn, RopesweepError } from '../../domain/errors.js';

describe('errors', () => {
  it('say what happened, where, and how to mend it', () => {
    const error = new RopesweepError('SPEC_INVALID', [
      { where: 'sweep.yaml:3:1 methods[0].name', what: 'unknown method "pie"', mend: 'Did you mean pi?' },
      { where: 'sweep.yaml:9:3 contextTokens[1]', what: 'must be above 0' },
    ]);
    expect(error.describe()).toBe(
      [
        `${ERRORS.SPEC_INVALID.what} (SPEC_INVALID)`,
        '  sweep.yaml:3:1 methods[0].name: unknown method "pie"',
        '    Did you mean pi?',
        '  sweep.yaml:9:3 contextTokens[1]: must be above 0',
        `  ${ERRORS.SPEC_INVALID.mend}`,
      ].join('\n'),
    );
  });

  it('give bad input exit code 2 and never retry it', () => {
    for (const code of ['SPEC_SYNTAX', 'METHOD_INVALID', 'CHECKPOINT_MISSING', 'STACK_LOCKED', 'PORT_TAKEN'] as const) {
      expect(ERRORS[code].exitCode).toBe(EXIT.badInput);
      expect(ERRORS[code].retryable).toBe(false);
    }
  });

  it('tell want of memory from a file that is missing, whatever it was wrapped in', () => {
    const unread = (code: string, message: string) => new RopesweepError('CHECKPOINT_MISSING', { where: 'model.safetensors', what: 'it cannot be read' }, { cause: Object.assign(new Error(`${code}: ${message}, open 'model.safetensors'`), { code }) });
    expect(outOfMemoryIn(unread('ENOMEM', 'not enough memory'))).toContain('not enough memory');
    expect(outOfMemoryIn(new Error('x', { cause: unread('ENOMEM', 'not enough memory') }))).toContain('ENOMEM');
    expect(outOfMemoryIn(new Error('std::bad_alloc'))).toBe('std::bad_alloc');
    expect(outOfMemoryIn(unread('ENOENT', 'no such file or directory'))).toBeNull();
  });

  it('are sentences', () => {
    for (const { what, mend } of Object.values(ERRORS)) {
      expect(what).toMatch(/^([A-Z]|ropesweep ).*\.$/);
      expect(mend).toMatch(/\.$/);
    }
  });
});
