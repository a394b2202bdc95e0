import { describe, expect, it } from 'vitest';
import { canonicalJson, digest } from '../../domain/identity.js';

describe('identities', () => {
  it('do not depend on the order of fields', () => {
    expect(digest({ a: 1, b: [1, { c: 2, d: null }] })).toBe(digest({ b: [1, { d: null, c: 2 }], a: 1 }));
  });

  it('keep the order of lists and the difference between a number and its text', () => {
    expect(digest([1, 2])).not.toBe(digest([2, 1]));
    expect(digest([1])).not.toBe(digest(['1']));
  });

  it('do not tell a field that is undefined from one that is absent', () => {
    expect(digest({ name: 'yarn', mscale: undefined })).toBe(digest({ name: 'yarn' }));
  });

  it('print canonical JSON', () => {
    expect(canonicalJson({ b: 'x"', a: [true, null, 0.1] })).toBe('{"a":[true,null,0.1],"b":"x\\""}');
  });

  it('are SHA-256: the digest of the empty string literal is the published one of its two quotes', () => {
    // printf '""' | sha256sum
    expect(digest('')).toBe('12ae32cb1ec02d01eda3581b127c1fee3b0dc53572ed6baf239721a03d82e126');
  });

  it('refuse numbers that JSON loses', () => {
    expect(() => digest({ nll: Number.NaN })).toThrow(/NaN/);
    expect(() => digest([Number.POSITIVE_INFINITY])).toThrow(/Infinity/);
  });
});
