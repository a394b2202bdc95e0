import { describe, expect, it } from 'vitest';
import { autoDtype, classProvider, deviceText, parseDevice } from '../../domain/device.js';
import { executionProvider } from '../../runtime/executionProvider.js';
import { fingerprint } from '../../runtime/fingerprint.js';

describe('device strings', () => {
  it('name a provider, and a GPU by its number', () => {
    expect(['cpu', 'webgpu', 'cuda', 'cuda:3'].map((text) => deviceText(parseDevice(text)))).toEqual(['cpu', 'webgpu', 'cuda:0', 'cuda:3']);
    expect(['cpu', 'webgpu', 'cuda:3'].map((text) => executionProvider(parseDevice(text)))).toEqual(['cpu', 'webgpu', { name: 'cuda', deviceId: 3 }]);
  });

  it.each(['', 'gpu', 'cuda:', 'cuda:-1', 'cuda:1000', 'cuda:0 ', 'CPU', 'cpu:0'])('%j is refused', (text) => {
    expect(() => parseDevice(text)).toThrow(/is not a device/);
  });
});

describe('a device', () => {
  it('computes in the type of the weights where it can', () => {
    expect(['f32', 'f16', 'bf16', 'q4_1'].map((format) => autoDtype('cuda', format))).toEqual(['f32', 'f16', 'bf16', 'f16']);
    expect(['f16', 'q4_1'].map((format) => autoDtype('cpu', format))).toEqual(['f32', 'f32']);
  });

  it('of a class is that of its provider, a sweep\'s own classes first', () => {
    expect(['cpu', 'cuda-24', 'webgpu', 'mine'].map((name) => classProvider(name, {}))).toEqual(['cpu', 'cuda', 'webgpu', 'cpu']);
    expect(classProvider('mine', { mine: { provider: 'cuda', memoryGiB: 48 } })).toBe('cuda');
  });

  it('stands in the fingerprint with the engine', () => {
    expect(fingerprint()).toMatch(/onnxruntime \S+ cpu prepacking false \/ graph \d+$/);
    expect(fingerprint(parseDevice('cuda:99'))).toMatch(/GPU \/ onnxruntime \S+ cuda prepacking false \/ graph \d+$/);
  });
});
