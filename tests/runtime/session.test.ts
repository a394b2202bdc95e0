import { env } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { ENGINE } from '../../domain/engine.js';
import { fingerprint, installedOnnxruntime } from '../../runtime/fingerprint.js';

describe('the engine', () => {
  it('is the version that cell keys and outcomes name', () => {
    expect(installedOnnxruntime()).toBe(ENGINE.onnxruntime);
    expect(env.versions.node ?? env.versions.common).toBe(ENGINE.onnxruntime);
  });

  it('has a fingerprint of hardware, version, provider with its settings, and graph version, the same each time', () => {
    expect(fingerprint()).toMatch(/^\S.+ (x64|arm64)\b.* \/ onnxruntime \d+\.\d+\.\d+ cpu prepacking false \/ graph \d+$/);
    expect(fingerprint()).toBe(fingerprint());
    expect(fingerprint()).not.toMatch(/\n/);
  });
});
