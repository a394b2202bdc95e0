/** 25 spellings of RoPE settings in config.json, and what another implementation makes of each. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { methodSchema } from '../../domain/method.js';
import { configOf, readConfig, type ConfigFile } from '../../model/config.js';
import { methodLabel, ropeTable } from '../../rope/method.js';
import { largestDifference } from '../rope/goldenTable.js';
import { refusal, type Json } from './checkpointFolder.js';

interface Expected {
  method: string;
  rope_theta: number;
  trained_context: number;
  head_dim: number;
  num_key_value_heads: number;
  sliding_window: number | null;
  at_length: number | null;
  attention_factor: number;
  inv_freq: number[];
}
const folder = fileURLToPath(new URL('../golden/configs', import.meta.url));
const fileOf = (name: string): string => path.join(folder, `${name}.json`);
const json = (name: string): Json => JSON.parse(readFileSync(fileOf(name), 'utf8')) as Json;
const expected = json('expected') as Record<string, unknown> as Record<string, Expected>;
const NAMES: Record<string, string> = { default: 'none', linear: 'pi', dynamic: 'dynamic-ntk', yarn: 'yarn', longrope: 'longrope', llama3: 'llama3' };

/** Of a config with these settings in place of its own. */
const settings = (change: Json, name = 'legacy-none'): ConfigFile => configOf('config.json', { ...json(name), ...change });

describe('RoPE settings', () => {
  let largest = { difference: 0, name: '' };
  afterAll(() => {
    console.log(`${Object.keys(expected).length} configs, largest relative difference ${largest.difference.toExponential(1)} (${largest.name})`);
  });

  it('are all 25', () => {
    expect(readdirSync(folder).filter((file) => file !== 'expected.json').sort()).toEqual(Object.keys(expected).map((name) => `${name}.json`).sort());
    expect(Object.keys(expected)).toHaveLength(25);
  });

  it.each(Object.entries(expected))('%s mean what they mean elsewhere', async (name, golden) => {
    const { config, geometry, ropeSettings } = await readConfig(fileOf(name));
    expect(ropeSettings.name).toBe(NAMES[golden.method]);
    expect(geometry).toEqual({ rotarySize: golden.head_dim, base: golden.rope_theta, originalContextTokens: golden.trained_context });
    expect(config.headSize).toBe(golden.head_dim);
    expect(config.keyValueHeads).toBe(golden.num_key_value_heads);
    expect(config.windows ?? null).toBe(golden.sliding_window);
    const difference = largestDifference(ropeTable(ropeSettings, geometry, golden.at_length ?? 0), golden);
    if (!(difference <= largest.difference)) largest = { difference, name };
    expect(difference).toBeLessThan(1e-12);
  });

  it.each<[string, Json, string]>([
    ['su is longrope', { rope_scaling: { type: 'su', short_factor: Array(8).fill(1), long_factor: Array(8).fill(2), factor: 4 } }, 'longrope 4'],
    ['yarn with two lists is longrope', { rope_scaling: { type: 'yarn', short_factor: Array(8).fill(1), long_factor: Array(8).fill(2), factor: 4 } }, 'longrope 4'],
    ['an empty rope_scaling says nothing', { rope_scaling: {}, rope_parameters: { rope_type: 'linear', factor: 3 } }, 'pi 3'],
    ['yarn without a factor takes the quotient of the lengths', { rope_scaling: { type: 'yarn', original_max_position_embeddings: 16 } }, 'yarn 4'],
    ['dynamic in the new spelling', { rope_parameters: { rope_type: 'dynamic', factor: 2, rope_theta: 5000 } }, 'dynamic-ntk 2'],
    ['keys that are null say nothing', { rope_scaling: { type: 'yarn', factor: 4, attention_factor: null, mscale: null, beta_fast: null } }, 'yarn 4'],
  ])('%s', (_, change, label) => {
    expect(methodLabel(settings(change).ropeSettings)).toMatch(new RegExp(`^${label}(, lists \\w{6})?$`));
  });

  it('of an own theta inside of rope_scaling hold', () => {
    expect(settings({ rope_scaling: { type: 'linear', factor: 2, rope_theta: 777 } }).geometry.base).toBe(777);
  });

  it.each<[Json, number]>([
    [{ partial_rotary_factor: 0.5 }, 8],
    [{ rope_parameters: { rope_type: 'default', partial_rotary_factor: 0.25 } }, 4],
    [{ partial_rotary_factor: 0.4 }, 6],
  ])('%j rotate the first int(share x head) dimensions', (change, rotarySize) => {
    const { geometry, config } = settings(change);
    expect(geometry.rotarySize).toBe(rotarySize);
    expect(config.headSize).toBe(16);
  });
});

interface ForwardCase {
  method: string;
  /** In ropesweep's words, but for two lengths. */
  spec: { method: string; maxContext?: number; trainedContext?: number };
  config_changes: Json;
  inv_freq: number[];
  attention_factor: number;
}

describe('the settings of golden forward passes', () => {
  const goldenFile = (...parts: string[]): string => path.join(folder, '..', ...parts);
  const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));
  let largest = 0;
  let cases = 0;
  afterAll(() => {
    console.log(`${cases} golden forward cases, from config.json and from the spec: largest relative difference ${largest.toExponential(1)}`);
  });

  it.each(readdirSync(goldenFile('forward')).map((file) => path.basename(file, '.json')))('of %s give its tables, from config.json and from the spec', (name) => {
    const { prompt, cases: each } = readJson(goldenFile('forward', `${name}.json`)) as { prompt: number[]; cases: ForwardCase[] };
    const own = readJson(goldenFile('models', name, 'config.json')) as Json;
    const rest = Object.fromEntries(Object.entries(own).filter(([key]) => !key.startsWith('rope_')));
    const plain = configOf('config.json', own).geometry;
    for (const { spec, config_changes: changes, ...golden } of each) {
      const named = configOf('config.json', Object.keys(changes).length === 0 ? own : { ...rest, ...changes });
      const { method, maxContext, trainedContext = plain.originalContextTokens, ...parameters } = spec;
      const asWritten = methodSchema.parse({ name: method, ...parameters, ...(maxContext !== undefined && { targetContextTokens: maxContext }) });
      const differences = [
        largestDifference(ropeTable(named.ropeSettings, named.geometry, prompt.length), golden),
        largestDifference(ropeTable(asWritten, { ...plain, originalContextTokens: trainedContext }, prompt.length), golden),
      ];
      cases += 1;
      largest = Math.max(largest, ...differences);
      expect(Math.max(...differences), `${name} ${golden.method}`).toBeLessThan(1e-12);
    }
  });
});

describe('warnings about RoPE settings', () => {
  it.each<[string, RegExp]>([
    ['legacy-yarn-factor-disagrees', /factor 4 is not max_position_embeddings \/ original_max_position_embeddings = 512 \/ 64; the factor holds/],
    ['qwen2-yarn', /factor 4 is not .* = 32768 \/ 32768; the factor holds/],
    ['legacy-yarn-no-original', /no original_max_position_embeddings, so max_position_embeddings 64 is taken for the trained context/],
    ['legacy-linear-type', /no original_max_position_embeddings/],
  ])('%s is told, not refused', async (name, message) => {
    const { ropeWarnings } = await readConfig(fileOf(name));
    expect(ropeWarnings).toHaveLength(1);
    expect(ropeWarnings[0]?.what).toMatch(message);
    expect(ropeWarnings[0]?.where).toContain(`${name}.json: rope settings`);
  });

  it.each(['legacy-none', 'legacy-yarn', 'new-yarn', 'legacy-llama31', 'legacy-longrope', 'legacy-dynamic'])('%s gives none', async (name) => {
    expect((await readConfig(fileOf(name))).ropeWarnings).toEqual([]);
  });

  it('say where dynamic scaling starts, if the lengths leave a choice', () => {
    const { ropeWarnings, geometry } = settings({ rope_scaling: { type: 'dynamic', factor: 2, original_max_position_embeddings: 32 } });
    expect(geometry.originalContextTokens).toBe(32);
    expect(ropeWarnings[0]?.what).toMatch(/beyond the 32 tokens .* count from max_position_embeddings 64/);
  });
});

describe('RoPE settings that cannot be', () => {
  it.each<[string, Json, string, RegExp]>([
    ['a type of no name here', { rope_scaling: { type: 'mrope', factor: 2 } }, 'MODEL_UNSUPPORTED', /mrope is not one of default, linear, dynamic, yarn, longrope, llama3/],
    ['a type that is a property of every object', { rope_scaling: { type: 'constructor' } }, 'MODEL_UNSUPPORTED', /constructor is not one of/],
    ['settings by layer type', { rope_parameters: { full_attention: { rope_type: 'default' } } }, 'MODEL_UNSUPPORTED', /settings of their own for full_attention/],
    ['attention factors by side', { rope_scaling: { type: 'longrope', short_mscale: 1.2 } }, 'MODEL_UNSUPPORTED', /short_mscale is not supported/],
    ['linear without a factor', { rope_scaling: { type: 'linear' } }, 'CHECKPOINT_INVALID', /the factor is missing/],
    ['dynamic below 1', { rope_scaling: { type: 'dynamic', factor: 0.5 } }, 'CHECKPOINT_INVALID', /the factor is 0.5; it must be at least 1/],
    ['longrope without lists', { rope_scaling: { type: 'longrope', factor: 2 } }, 'CHECKPOINT_INVALID', /short_factor is missing/],
    ['longrope with a short list', { rope_scaling: { type: 'longrope', factor: 2, short_factor: [1], long_factor: Array(8).fill(1) } }, 'CHECKPOINT_INVALID', /shortFactor: it has 1 numbers; 16 rotating dimensions are 8 pairs/],
    ['llama3 without its bounds', { rope_scaling: { type: 'llama3', factor: 8, low_freq_factor: 1 } }, 'CHECKPOINT_INVALID', /high_freq_factor is missing/],
    ['llama3 with its bounds exchanged', { rope_scaling: { type: 'llama3', factor: 8, low_freq_factor: 4, high_freq_factor: 1 } }, 'CHECKPOINT_INVALID', /highFreqFactor 1 is not above lowFreqFactor 4/],
    ['an odd number of rotating dimensions', { partial_rotary_factor: 0.32 }, 'CHECKPOINT_INVALID', /5 is not an even number of dimensions/],
    ['more than the head', { partial_rotary_factor: 2 }, 'CHECKPOINT_INVALID', /2 of a head's dimensions cannot rotate/],
    ['a list of text', { rope_scaling: { type: 'longrope', short_factor: 'all' } }, 'CHECKPOINT_INVALID', /short_factor/],
  ])('%s is refused', async (_, change, code, message) => {
    const error = await refusal(Promise.resolve().then(() => settings(change)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});
