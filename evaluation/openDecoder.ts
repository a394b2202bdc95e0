/**
 * The decoder of a checkpoint on a device: one that keeps its KV cache, or where nothing stays between runs one that reads a
 * sequence in a single run.
 */
import { DTYPES_OF, deviceText, type Device } from '../domain/device.js';
import type { ComputeDtype } from '../domain/engine.js';
import { RopesweepError } from '../domain/errors.js';
import type { Checkpoint } from '../model/checkpoint.js';
import { inDtype, type WeightCache } from '../model/weightCache.js';
import { Decoder } from './decoder.js';
import type { SequenceDecoder } from './sequenceDecoder.js';
import { SingleShotDecoder } from './singleShot.js';

export interface OpenOptions {
  readonly device: Device;
  readonly dtype: ComputeDtype;
  readonly threads: number;
  /** Whether feeds may ask for attention distributions; no if absent. */
  readonly distributions?: boolean;
}

/**
 * @param checkpoint however its weights are stored
 * @param cache where weights are kept in the type of the computation
 * @throws RopesweepError DEVICE_UNAVAILABLE if the device does not compute in the type; those of {@link inDtype} and of opening a decoder
 */
export async function openDecoder(checkpoint: Checkpoint, cache: WeightCache, options: OpenOptions): Promise<SequenceDecoder> {
  const { device, dtype } = options;
  if (!DTYPES_OF[device.provider].includes(dtype)) {
    throw new RopesweepError('DEVICE_UNAVAILABLE', {
      where: deviceText(device),
      what: `it computes in ${DTYPES_OF[device.provider].join(' or ')}, not in ${dtype}`,
      mend: 'Give the worker the class of its device (--class), or the sweep another dtype.',
    });
  }
  const converted = await inDtype(checkpoint, dtype, cache);
  return device.provider === 'cuda' ? SingleShotDecoder.open(converted, options) : Decoder.open(converted, options);
}
