/** 25 spellings of RoPE settings in config.json, and what another implementation makes of each. */
import { readdirSync, readFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../model/config.js';
import { ropeTable } from '../../rope/method.js';
import { inFolder, refusal } from './checkpointFolder.js';

interface Expected {
  method: string;
  rope_theta: number;
  trained_context: number;
  head_dim: number;
  num_key_value_heads: number;
  attention_factor: number;
  inv_freq: number[];
}
const folder = fileURLToPath(new URL('../golden/configs', import.meta.url));
const expected = JSON.parse(readFileSync(path.join(folder, 'expected.json'), 'utf8')) as Record<string, Expected>;
const known: Record<string, string> = { default: 'none', linear: 'pi', yarn: 'yarn' };
const names = readdirSync(folder).map((file) => path.basename(file, '.json')).filter((name) => name in expected);
const isKnown = (name: string): boolean => (expected[name]?.method ?? '') in known && !name.startsWith('qwen2');
const read = <Result>(name: string, use: (folder: string) => Promise<Result>): Promise<Result> =>
  inFolder(async (own) => {
    await copyFile(path.join(folder, `${name}.json`), path.join(own, 'config.json'));
    return use(own);
  }, null);

describe('RoPE settings', () => {
  it.each(names.filter(isKnown))('%s mean what they mean elsewhere', async (name) => {
    const golden = expected[name];
    if (golden === undefined) throw new Error(name);
    const { config, geometry, ropeSettings } = await read(name, readConfig);
    expect(ropeSettings.name).toBe(known[golden.method]);
    expect(geometry).toEqual({ rotarySize: golden.head_dim, base: golden.rope_theta, originalContextTokens: golden.trained_context });
    expect(config.keyValueHeads).toBe(golden.num_key_value_heads);
    const table = ropeTable(ropeSettings, geometry, 0);
    expect(Math.abs(table.attentionFactor / golden.attention_factor - 1)).toBeLessThan(1e-12);
    for (const [pair, frequency] of golden.inv_freq.entries()) expect(Math.abs((table.inverseFrequencies[pair] ?? NaN) / frequency - 1)).toBeLessThan(1e-12);
  });

  it.each(names.filter((name) => !isKnown(name)))('%s are refused by name, as not supported yet', async (name) => {
    const error = await read(name, (own) => refusal(readConfig(own)));
    expect(error.code).toBe('MODEL_UNSUPPORTED');
    expect(error.message).toContain(name.startsWith('qwen2') ? 'qwen2' : (expected[name]?.method ?? ''));
  });
});
