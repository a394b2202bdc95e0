/** Damaged safetensors and config files end in an error that ropesweep knows, or in a checkpoint that can be used. */
import { copyFile, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import { Decoder } from '../../evaluation/decoder.js';
import { openCheckpoint } from '../../model/checkpoint.js';
import { asFloat32 } from '../../model/weightCache.js';
import { ropeTable } from '../../rope/method.js';
import { goldenModelFolder } from '../evaluation/fixtures.js';
import { inFolder } from './checkpointFolder.js';
import { damageBytes, damageJson, seeded } from './mutations.js';

const FILES = 1000;
/** A file that took longer would be one that hangs. */
const LIMIT_MS = 5000;
const MODELS = ['llama-new-linear', 'llama-bf16', 'llama-bias', 'llama-sharded', 'qwen2-mixed-window', 'qwen3', 'smollm3', 'phi3', 'mistral-window'];

/** Everything that a command does with a folder, as far as it lets itself be used. @returns `used`, or the code of the refusal. */
async function use(folder: string, cache: string): Promise<string> {
  try {
    const checkpoint = await asFloat32(await openCheckpoint(folder), { folder: cache, limitBytes: 1e9 });
    for (const { file, byteOffset, byteLength } of checkpoint.tensors.values()) expect(byteOffset + byteLength).toBeLessThanOrEqual((await stat(file)).size);
    const table = ropeTable(checkpoint.ropeSettings, checkpoint.geometry, 16);
    const decoder = await Decoder.open(checkpoint, { threads: 1, dtype: 'f32' });
    try {
      decoder.useTable(table, 16);
      await decoder.feed([1, 2, 3, 4, 5, 6], { logitRows: 2, targets: [5, 6], probeRows: 2 });
    } finally {
      await decoder.dispose();
    }
    return 'used';
  } catch (error) {
    if (error instanceof RopesweepError && error.code !== 'INTERNAL') return error.code;
    throw error;
  }
}

describe(`${FILES} damaged files`, () => {
  it('give errors that say what is wrong, or work', async () => {
    const ends: Record<string, number> = {};
    await inFolder(async (folder) => {
      const cache = path.join(folder, 'cache');
      for (let seed = 0; seed < FILES; seed += 1) {
        const random = seeded(seed);
        const source = goldenModelFolder(MODELS[seed % MODELS.length] ?? '');
        const names = await readdir(source);
        const started = performance.now();
        const end = await inFolder(async (copy) => {
          for (const name of names) await copyFile(path.join(source, name), path.join(copy, name));
          const name = names[Math.floor(random() * names.length)] ?? '';
          const bytes = await readFile(path.join(copy, name));
          const isText = name.endsWith('.json');
          const headerEnd = isText ? bytes.length : 8 + Number(bytes.readBigUInt64LE(0));
          const damaged = (): Buffer => {
            if (random() < 0.4) return damageBytes(bytes, random, random() < 0.8 ? headerEnd : bytes.length);
            if (isText) return Buffer.from(damageJson(bytes.toString(), random));
            const header = Buffer.from(damageJson(bytes.subarray(8, headerEnd).toString(), random));
            const length = Buffer.alloc(8);
            length.writeBigUInt64LE(BigInt(header.length));
            return Buffer.concat([length, header, bytes.subarray(headerEnd)]);
          };
          await writeFile(path.join(copy, name), damaged());
          return use(copy, cache).catch((cause: unknown) => {
            throw new Error(`seed ${seed}: ${name} of ${source}`, { cause });
          });
        }, null);
        expect(performance.now() - started, `seed ${seed}`).toBeLessThan(LIMIT_MS);
        ends[end] = (ends[end] ?? 0) + 1;
      }
    }, null);
    console.log(`${FILES} damaged files: ${Object.entries(ends).map(([end, count]) => `${end} ${count}`).join(', ')}`);
    // The damage is neither always found nor never.
    expect(ends['CHECKPOINT_INVALID']).toBeGreaterThan(FILES / 5);
    expect(ends['used']).toBeGreaterThan(FILES / 20);
  }, 120_000);
});
