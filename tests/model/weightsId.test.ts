import { open } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../model/checkpoint.js';
import { sha256OfFile, weightsId } from '../../model/weightsId.js';
import { changeConfig, inFolder, STARTER } from './checkpointFolder.js';

const idOf = async (folder: string) => weightsId(await openCheckpoint(folder), sha256OfFile);

describe('a weights id', () => {
  it('is that of the numbers, wherever the folder lies and whatever RoPE settings it carries', async () => {
    const original = await idOf(STARTER);
    expect(original).toMatch(/^[0-9a-f]{64}$/);
    await inFolder(async (folder) => {
      expect(await idOf(folder)).toBe(original);
      await changeConfig(folder, { rope_theta: 10_000, rope_scaling: { type: 'linear', factor: 4 }, max_position_embeddings: 4096, transformers_version: '9' });
      expect(await idOf(folder)).toBe(original);
    });
  });

  it('changes with one bit of the weights', async () => {
    const original = await idOf(STARTER);
    await inFolder(async (folder) => {
      const handle = await open(path.join(folder, 'model.safetensors'), 'r+');
      await handle.write(Buffer.from([1]), 0, 1, 900_000);
      await handle.close();
      expect(await idOf(folder)).not.toBe(original);
    });
  });

  it('changes with the architecture', async () => {
    const original = await idOf(STARTER);
    await inFolder(async (folder) => {
      await changeConfig(folder, { rms_norm_eps: 1e-6 });
      expect(await idOf(folder)).not.toBe(original);
    });
  });

  it('asks for the digest of each weight file once, with size and mtime', async () => {
    const asked: string[] = [];
    await weightsId(await openCheckpoint(STARTER), (file) => {
      asked.push(`${file.name} ${file.size > 0 && file.mtimeMs > 0}`);
      return Promise.resolve('0'.repeat(64));
    });
    expect(asked).toEqual(['model.safetensors true']);
  });
});
