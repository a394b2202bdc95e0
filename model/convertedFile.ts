/**
 * Writes tensors, however they are stored, in one type and in Hugging Face's row order into one safetensors file.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { BYTES_OF_DTYPE, type ComputeDtype } from '../domain/engine.js';
import { RopesweepError } from '../domain/errors.js';
import { brainBits, halfBits, halfValue } from './halfPrecision.js';
import type { StoredTensor } from './safetensors.js';
import { elementFormat, readValues } from './tensorValues.js';

/** Values that are in memory at one time. */
const PIECE_ELEMENTS = 1 << 20;
/** The data start at a multiple of it, so that every value is aligned where the file is mapped. */
const ALIGNMENT_BYTES = 64;

const elements = ({ shape }: StoredTensor): number => shape.reduce((product, dimension) => product * dimension, 1);

/** Bytes of the file that {@link writeConverted} would write, its header apart. */
export const convertedBytes = (tensors: ReadonlyMap<string, StoredTensor>, dtype: ComputeDtype): number =>
  [...tensors.values()].reduce((sum, tensor) => sum + elements(tensor) * BYTES_OF_DTYPE[dtype], 0);

/**
 * @param into an empty file, open for writing
 * @param dtype that all tensors are written in
 * @param headSize dimensions of a head, in whose rows an interleaved order is undone
 * @param onProgress told after every piece
 * @throws RopesweepError MODEL_UNSUPPORTED if a value is beyond the range of the type
 */
export async function writeConverted(into: FileHandle, tensors: ReadonlyMap<string, StoredTensor>, dtype: ComputeDtype, headSize: number, onProgress?: () => void): Promise<void> {
  await into.write(header(tensors, dtype));
  const sources = new Map<string, FileHandle>();
  try {
    for (const [name, tensor] of tensors) {
      const source = sources.get(tensor.file) ?? (await open(tensor.file, 'r'));
      sources.set(tensor.file, source);
      for await (const values of pieces(source, tensor, headSize)) {
        await into.write(encode(values, dtype, name));
        onProgress?.();
      }
    }
  } finally {
    await Promise.all([...sources.values()].map((source) => source.close()));
  }
}

function header(tensors: ReadonlyMap<string, StoredTensor>, dtype: ComputeDtype): Buffer {
  let end = 0;
  const entries = [...tensors].map(([name, tensor]) => {
    const start = end;
    end += elements(tensor) * BYTES_OF_DTYPE[dtype];
    return [name, { dtype: dtype.toUpperCase(), shape: tensor.shape, data_offsets: [start, end] }];
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const padded = Buffer.alloc(Math.ceil((8 + json.length) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES, ' ');
  padded.writeBigUInt64LE(BigInt(padded.length - 8));
  json.copy(padded, 8);
  return padded;
}

function encode(values: Float32Array, dtype: ComputeDtype, name: string): Uint8Array {
  if (dtype === 'f32') return new Uint8Array(values.buffer);
  const bitsOf = dtype === 'f16' ? halfBits : brainBits;
  const bits = Uint16Array.from(values, bitsOf);
  if (dtype === 'f16' && values.some((value, index) => Number.isFinite(value) && !Number.isFinite(halfValue(bits[index] ?? 0)))) {
    throw new RopesweepError('MODEL_UNSUPPORTED', { where: name, what: 'it has values beyond the range of float16, 65,504', mend: 'Compute it in bf16 or f32 (dtype of the sweep).' });
  }
  return new Uint8Array(bits.buffer);
}

async function* pieces(source: FileHandle, tensor: StoredTensor, headSize: number): AsyncGenerator<Float32Array> {
  const total = elements(tensor);
  const columns = total / (tensor.shape[0] ?? 1);
  const interleaved = tensor.rowOrder === 'interleaved';
  // What may not be torn apart: the rows of a head, or a block.
  const unit = interleaved ? headSize * columns : elementFormat(tensor).blockElements;
  const piece = Math.max(1, Math.floor(PIECE_ELEMENTS / unit)) * unit;
  for (let first = 0; first < total; first += piece) {
    const values = await readValues(source, tensor, first, Math.min(piece, total - first));
    yield interleaved ? halfSplit(values, headSize, columns) : values;
  }
}

/** Stored row 2i + s of each head becomes row s d/2 + i. */
function halfSplit(values: Float32Array, headSize: number, columns: number): Float32Array {
  const half = headSize / 2;
  const ordered = new Float32Array(values.length);
  for (let row = 0; row * columns < values.length; row += 1) {
    const inHead = row % headSize;
    const target = row - inHead + (inHead % 2) * half + Math.floor(inHead / 2);
    ordered.set(values.subarray(row * columns, (row + 1) * columns), target * columns);
  }
  return ordered;
}
