/**
 * Values of stored tensors as float32, whatever type they are stored in. All widenings are exact: F16 and BF16 are subsets
 * of float32, and blocks of GGUF are decoded as ggml defines them (quantisedBlocks.ts).
 */
import type { FileHandle } from 'node:fs/promises';
import { RopesweepError } from '../domain/errors.js';
import { halfValue } from './halfPrecision.js';
import { QUANTISED_BLOCKS } from './quantisedBlocks.js';
import type { StoredTensor } from './safetensors.js';

/** How a type lays out its values. */
export interface ElementFormat {
  /** Values that are stored together: 1, or a block that shares a scale. */
  readonly blockElements: number;
  readonly blockBytes: number;
  /** Whole blocks, little-endian; `into` has room for exactly their values. */
  readonly decode: (bytes: Uint8Array, into: Float32Array) => void;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const FORMATS = {
  F32: {
    blockElements: 1,
    blockBytes: 4,
    decode: (bytes, into) => {
      const view = viewOf(bytes);
      for (let index = 0; index < into.length; index += 1) into[index] = view.getFloat32(4 * index, true);
    },
  },
  F16: {
    blockElements: 1,
    blockBytes: 2,
    decode: (bytes, into) => {
      const view = viewOf(bytes);
      for (let index = 0; index < into.length; index += 1) into[index] = halfValue(view.getUint16(2 * index, true));
    },
  },
  // The upper half of a float32.
  BF16: {
    blockElements: 1,
    blockBytes: 2,
    decode: (bytes, into) => {
      const view = viewOf(bytes);
      const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
      for (let index = 0; index < bits.length; index += 1) bits[index] = view.getUint16(2 * index, true) << 16;
    },
  },
  ...QUANTISED_BLOCKS,
} as const satisfies Record<string, ElementFormat>;

/** Types of weights that ropesweep reads. */
export type WeightType = keyof typeof FORMATS;
export const isWeightType = (dtype: string): dtype is WeightType => Object.hasOwn(FORMATS, dtype);
export const WEIGHT_TYPES = Object.keys(FORMATS).filter(isWeightType);

/** @throws RopesweepError MODEL_UNSUPPORTED for a type without a decoder */
export function elementFormat({ dtype, file }: Pick<StoredTensor, 'dtype' | 'file'>): ElementFormat {
  if (isWeightType(dtype)) return FORMATS[dtype];
  throw new RopesweepError('MODEL_UNSUPPORTED', { where: file, what: `weights of type ${dtype}; supported are ${WEIGHT_TYPES.join(', ')}` });
}

/**
 * `count` values from the `first` on, in the order of the file; both are whole blocks.
 * @param handle the open file that holds the tensor
 * @throws RopesweepError CHECKPOINT_INVALID if the file ends early; MODEL_UNSUPPORTED
 */
export async function readValues(handle: FileHandle, tensor: StoredTensor, first: number, count: number): Promise<Float32Array> {
  const { blockElements, blockBytes, decode } = elementFormat(tensor);
  const bytes = new Uint8Array((count / blockElements) * blockBytes);
  await readFully(handle, tensor, bytes, tensor.byteOffset + (first / blockElements) * blockBytes);
  const values = new Float32Array(count);
  decode(bytes, values);
  return values;
}

async function readFully(handle: FileHandle, { file }: StoredTensor, into: Uint8Array, position: number): Promise<void> {
  let filled = 0;
  while (filled < into.length) {
    const { bytesRead } = await handle.read(into, filled, into.length - filled, position + filled);
    if (bytesRead === 0) throw new RopesweepError('CHECKPOINT_INVALID', { where: file, what: `the file ends at byte ${position + filled}, inside a tensor` });
    filled += bytesRead;
  }
}
