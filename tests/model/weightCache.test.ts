/** Float32 copies of weights: shared by processes, atomic, limited, mended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, open, readdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openCheckpoint, type Checkpoint } from '../../model/checkpoint.js';
import { readValues } from '../../model/tensorValues.js';
import { asFloat32, inDtype } from '../../model/weightCache.js';
import { weightsId } from '../../model/weightsId.js';
import { goldenModelFolder, starterFolder } from '../evaluation/fixtures.js';
import { inFolder, refusal } from './checkpointFolder.js';

const model = (name: string) => openCheckpoint(goldenModelFolder(name));
const ROOMY = 1e9;
const inCache = <Result>(use: (folder: string) => Promise<Result>): Promise<Result> => inFolder((folder) => use(path.join(folder, 'float32')), null);
const copiesIn = async (folder: string): Promise<string[]> => (await readdir(folder)).filter((name) => name.endsWith('.safetensors'));
const copyOf = async (folder: string): Promise<string> => path.join(folder, (await copiesIn(folder))[0] ?? '');
const longAgo = (file: string, minutes: number): Promise<void> => utimes(file, new Date(), new Date(Date.now() - minutes * 60_000));

describe('copies of weights in half precision', () => {
  it('are not made of weights that have the type already, and are within half a step of the others', async () => {
    await inCache(async (folder) => {
      const half = await model('llama-f16');
      expect(await inDtype(half, 'f16', { folder: '/nowhere/at-all', limitBytes: 0 })).toBe(half);
      const checkpoint = await model('llama-gqa');
      const name = 'model.layers.1.mlp.up_proj.weight';
      for (const [dtype, relative] of [['f16', 2 ** -11], ['bf16', 2 ** -8]] as const) {
        const converted = await inDtype(checkpoint, dtype, { folder, limitBytes: ROOMY });
        const [from, to] = [await valuesOf(checkpoint, name), await valuesOf(converted, name)];
        expect(converted.tensors.get(name)?.dtype).toBe(dtype.toUpperCase());
        // Below 2^-14 the steps of float16 are all 2^-24.
        for (const [index, value] of from.entries()) expect(Math.abs((to[index] ?? NaN) - value)).toBeLessThanOrEqual(Math.max(Math.abs(value) * relative, 2 ** -25));
      }
      expect(await copiesIn(folder)).toHaveLength(2);
    });
  });
});

async function valuesOf({ tensors }: Checkpoint, name: string): Promise<Float32Array> {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(name);
  const handle = await open(tensor.file, 'r');
  try {
    return await readValues(handle, tensor, 0, tensor.shape.reduce((product, dimension) => product * dimension, 1));
  } finally {
    await handle.close();
  }
}

describe('float32 copies of weights', () => {
  it('are not made of weights that are float32 already', async () => {
    const checkpoint = await openCheckpoint(starterFolder('base'));
    expect(await asFloat32(checkpoint, { folder: '/nowhere/at-all', limitBytes: 0 })).toBe(checkpoint);
  });

  it('hold the values exactly, and leave the identity of the weights alone', async () => {
    await inCache(async (folder) => {
      const checkpoint = await model('llama-bf16');
      const widened = await asFloat32(checkpoint, { folder, limitBytes: ROOMY });
      expect(checkpoint.weightFormat).toBe('bf16');
      expect(await weightsId(widened)).toBe(await weightsId(checkpoint));
      const name = 'model.layers.1.mlp.up_proj.weight';
      const [source, copy] = [checkpoint.tensors.get(name), widened.tensors.get(name)];
      if (source === undefined || copy === undefined) throw new Error(name);
      const from = (await readFile(source.file)).subarray(source.byteOffset, source.byteOffset + source.byteLength);
      const to = (await readFile(copy.file)).subarray(copy.byteOffset, copy.byteOffset + copy.byteLength);
      expect(copy).toMatchObject({ dtype: 'F32', shape: source.shape });
      for (let index = 0; index < from.length / 2; index += 1) expect(to.readUInt32LE(4 * index)).toBe(from.readUInt16LE(2 * index) * 65_536);
    });
  });

  it('are made once: by content, wherever the folder lies, and read the weights once', async () => {
    await inCache(async (folder) => {
      await asFloat32(await model('llama-f16'), { folder, limitBytes: ROOMY });
      const before = await stat(await copyOf(folder));
      await inFolder(async (elsewhere) => {
        await cp(goldenModelFolder('llama-f16'), elsewhere, { recursive: true });
        await asFloat32(await openCheckpoint(elsewhere), { folder, limitBytes: ROOMY });
      }, null);
      let steps = 0;
      await asFloat32(await model('llama-f16'), { folder, limitBytes: ROOMY, onProgress: () => (steps += 1) });
      expect(steps).toBe(0);
      expect((await stat(await copyOf(folder))).ino).toBe(before.ino);
      await asFloat32(await model('llama-bf16'), { folder, limitBytes: ROOMY });
      expect(await copiesIn(folder)).toHaveLength(2);
      expect((await readdir(folder)).filter((name) => /partial|lock/.test(name))).toEqual([]);
    });
  });

  it.each<[string, (file: string) => Promise<void>]>([
    ['cut off', (file) => truncate(file, 1000)],
    ['emptied', (file) => truncate(file, 0)],
    ['overwritten', (file) => writeFile(file, 'not weights at all')],
  ])('that were %s are made again', async (_, damage) => {
    await inCache(async (folder) => {
      const checkpoint = await model('llama-bf16');
      await asFloat32(checkpoint, { folder, limitBytes: ROOMY });
      const file = await copyOf(folder);
      const whole = await readFile(file);
      await damage(file);
      await asFloat32(checkpoint, { folder, limitBytes: ROOMY });
      expect((await readFile(file)).equals(whole)).toBe(true);
    });
  });

  it('that were used longest ago make room for others, those of the last minutes stay', async () => {
    await inCache(async (folder) => {
      const names = ['llama-bf16', 'llama-f16'];
      for (const name of names) await asFloat32(await model(name), { folder, limitBytes: ROOMY });
      const [first = '', second = ''] = await copiesIn(folder);
      const { size } = await stat(path.join(folder, first));
      await longAgo(path.join(folder, first), 60);
      await longAgo(path.join(folder, second), 30);
      await writeFile(path.join(folder, 'left.partial'), 'half a copy of a process that is gone');
      await longAgo(path.join(folder, 'left.partial'), 60);
      // Other weights of the same size: a copy of bf16 weights under changed places.
      await inFolder(async (elsewhere) => {
        await cp(goldenModelFolder('llama-bf16'), elsewhere, { recursive: true });
        const weights = path.join(elsewhere, 'model.safetensors');
        const bytes = await readFile(weights);
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
        await writeFile(weights, bytes);
        await asFloat32(await openCheckpoint(elsewhere), { folder, limitBytes: 2.5 * size });
        const left = await readdir(folder);
        expect(left).not.toContain(first);
        expect(left).toContain(second);
        expect(left).not.toContain('left.partial');
        await longAgo(path.join(folder, second), 1);
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 3;
        await writeFile(weights, bytes);
        await asFloat32(await openCheckpoint(elsewhere), { folder, limitBytes: 2.5 * size });
        expect(await copiesIn(folder)).toHaveLength(3);
      }, null);
    });
  });

  it('that would exceed the limit alone are refused with the variable to change', async () => {
    await inCache(async (folder) => {
      const error = await refusal(asFloat32(await model('llama-bf16'), { folder, limitBytes: 1000 }));
      expect(error.code).toBe('CONFIG_INVALID');
      expect(error.message).toMatch(/ROPESWEEP_CACHE_LIMIT_GIB.*takes 197888 bytes/);
      expect((await readdir(folder)).filter((name) => !name.endsWith('.sha256'))).toEqual([]);
    });
  });

  it('that cannot be kept are refused with the place', async () => {
    await inFolder(async (folder) => {
      await writeFile(path.join(folder, 'file'), '');
      const error = await refusal(asFloat32(await model('llama-bf16'), { folder: path.join(folder, 'file', 'float32'), limitBytes: ROOMY }));
      expect(error.code).toBe('FOLDER_UNWRITABLE');
      expect(error.describe()).toMatch(/cannot be kept there.*[^]*ROPESWEEP_CACHE/);
    }, null);
  });

  it('are made by one of the processes that want them at once, and a lock left behind holds nobody up', async () => {
    await inCache(async (folder) => {
      const checkpoint = await model('llama-bf16');
      await asFloat32(checkpoint, { folder, limitBytes: ROOMY });
      const file = await copyOf(folder);
      const whole = await readFile(file);
      await truncate(file, 10);
      await writeFile(`${file}.lock`, '');
      await longAgo(`${file}.lock`, 60);
      const source = (name: string): string => pathToFileURL(fileURLToPath(new URL(`../../dist/model/${name}.js`, import.meta.url))).href;
      const script = `
        const { openCheckpoint } = await import(${JSON.stringify(source('checkpoint'))});
        const { asFloat32 } = await import(${JSON.stringify(source('weightCache'))});
        let steps = 0;
        await asFloat32(await openCheckpoint(${JSON.stringify(goldenModelFolder('llama-bf16'))}), { folder: ${JSON.stringify(folder)}, limitBytes: 1e9, onProgress: () => (steps += 1) });
        process.stdout.write(String(steps));`;
      const children = Array.from({ length: 3 }, () => spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] }));
      const codes = await Promise.all(children.map(async (child) => ((await once(child, 'exit')) as [number])[0]));
      expect(codes).toEqual([0, 0, 0]);
      expect((await readFile(file)).equals(whole)).toBe(true);
      expect((await readdir(folder)).filter((name) => /partial|lock/.test(name))).toEqual([]);
    });
  });
});
