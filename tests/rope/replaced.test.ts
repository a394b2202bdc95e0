/** What is said where a method takes the place of a checkpoint's own. */
import { describe, expect, it } from 'vitest';
import { methodSchema, type MethodInput } from '../../domain/method.js';
import { replacedNotice } from '../../rope/replaced.js';

const geometry = { rotarySize: 32, base: 500, originalContextTokens: 128 };
const at = (method: MethodInput, change: Partial<typeof geometry> = {}) => ({ method: methodSchema.parse(method), geometry: { ...geometry, ...change } });

describe('the notice of a replaced method', () => {
  it('names both', () => {
    expect(replacedNotice(at({ name: 'yarn', factor: 4 }), at({ name: 'pi', factor: 8 }))).toBe("the checkpoint's own yarn 4 is replaced by pi 8");
    expect(replacedNotice(at({ name: 'pi', factor: 8 }), at({ name: 'none' }))).toBe("the checkpoint's own pi 8 is replaced by plain RoPE");
  });

  it('names what else differs', () => {
    expect(replacedNotice(at({ name: 'yarn', factor: 4 }), at({ name: 'yarn', factor: 4 }, { originalContextTokens: 64 }))).toBe(
      "the checkpoint's own yarn 4 is replaced by yarn 4, trained context 64 in place of 128",
    );
  });

  it('is left out where nothing of the checkpoint is replaced', () => {
    expect(replacedNotice(at({ name: 'none' }), at({ name: 'pi', factor: 8 }))).toBeUndefined();
    expect(replacedNotice(at({ name: 'yarn', factor: 4 }), at({ name: 'yarn', targetContextTokens: 512 }))).toBeUndefined();
  });
});
