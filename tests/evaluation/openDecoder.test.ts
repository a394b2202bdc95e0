import { describe, expect, it } from 'vitest';
import { parseDevice } from '../../domain/device.js';
import { openDecoder } from '../../evaluation/openDecoder.js';
import { openCheckpoint } from '../../model/checkpoint.js';
import { refusal } from '../model/checkpointFolder.js';
import { starterFolder } from './fixtures.js';

const CACHE = { folder: '/nowhere', limitBytes: 0 };

describe('the decoder of a device', () => {
  it('keeps its cache on a CPU', async () => {
    const decoder = await openDecoder(await openCheckpoint(starterFolder('base')), CACHE, { device: parseDevice('cpu'), dtype: 'f32', threads: 1 });
    expect(decoder.keepsKv).toBe(true);
    await decoder.dispose();
  });

  it('is refused where the device does not compute in the type that the sweep names', async () => {
    const checkpoint = await openCheckpoint(starterFolder('base'));
    const error = await refusal(openDecoder(checkpoint, CACHE, { device: parseDevice('cpu'), dtype: 'f16', threads: 1 }));
    expect(error).toMatchObject({ code: 'DEVICE_UNAVAILABLE' });
    expect(error.message).toContain('it computes in f32, not in f16');
  });

  it('is never the CPU in place of a GPU that cannot be had', async () => {
    await expect(openDecoder(await openCheckpoint(starterFolder('base')), CACHE, { device: parseDevice('cuda:99'), dtype: 'f32', threads: 1 })).rejects.toThrow();
  });
});
