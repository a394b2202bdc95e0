/**
 * Headers of safetensors files. A file is: u64 little-endian n, n bytes of JSON {name: {dtype, shape, data_offsets}},
 * then the data, which the tensors must tile without gap or overlap (safetensors format description).
 *
 * Files come from anywhere: every number is checked against the file before it is believed.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf, RopesweepError, whyUnreadable } from '../domain/errors.js';

export interface StoredTensor {
  /** Absolute path of the file that holds it. */
  readonly file: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** From the start of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
  /**
   * Rows of queries and keys as llama.cpp has them, for rotation of neighbours: within a head of d rows, row 2i + s is row
   * s d/2 + i of the half-split order (i < d/2, s = 0 or 1). Absent: half-split, as Hugging Face.
   */
  readonly rowOrder?: 'interleaved';
}

/** Longest header the format allows, in bytes. */
const MAXIMUM_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;

const BYTES_PER_ELEMENT: Readonly<Record<string, number | undefined>> = {
  F64: 8, I64: 8, U64: 8, F32: 4, I32: 4, U32: 4, F16: 2, BF16: 2, I16: 2, U16: 2, I8: 1, U8: 1, BOOL: 1, F8_E4M3: 1, F8_E5M2: 1,
};

const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});

/**
 * Name -> where and what, of all tensors of one file; the data is not read.
 * @throws RopesweepError CHECKPOINT_MISSING, CHECKPOINT_INVALID
 */
export async function readSafetensorsHeader(file: string): Promise<Map<string, StoredTensor>> {
  const handle = await openFile(file);
  try {
    const { size } = await handle.stat();
    const headerBytes = await headerLength(handle, file, size);
    const header = parseHeader(file, await readExactly(handle, LENGTH_BYTES, headerBytes));
    return placeTensors(file, header, LENGTH_BYTES + headerBytes, size);
  } finally {
    await handle.close();
  }
}

const damaged = (file: string, what: string, cause?: unknown): RopesweepError =>
  new RopesweepError('CHECKPOINT_INVALID', { where: file, what, mend: 'The download or copy may have stopped half-way: fetch the file again.' }, { cause });

async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (cause) {
    throw new RopesweepError('CHECKPOINT_MISSING', { where: file, what: whyUnreadable(cause) }, { cause });
  }
}

async function headerLength(handle: FileHandle, file: string, size: number): Promise<number> {
  if (size < LENGTH_BYTES) throw damaged(file, `the file has ${size} bytes, too few for a safetensors header`);
  const length = (await readExactly(handle, 0, LENGTH_BYTES)).readBigUInt64LE();
  if (length > BigInt(MAXIMUM_HEADER_BYTES)) throw damaged(file, `its header claims ${String(length)} bytes, above the format's limit of ${MAXIMUM_HEADER_BYTES}`);
  if (length > BigInt(size - LENGTH_BYTES)) throw damaged(file, `its header claims ${String(length)} bytes, but the file has ${size}`);
  return Number(length);
}

async function readExactly(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) throw new Error(`the file ended ${length - filled} bytes early while it was read`);
    filled += bytesRead;
  }
  return buffer;
}

function parseHeader(file: string, bytes: Buffer): [string, z.infer<typeof entrySchema>][] {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged(file, `its header is not JSON: ${messageOf(cause)}`, cause);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw damaged(file, 'its header is not a JSON object');
  return Object.entries(json)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => {
      const entry = entrySchema.safeParse(value);
      if (!entry.success) {
        const issue = entry.error.issues[0];
        throw damaged(file, `header entry ${JSON.stringify(name)}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is malformed'}`);
      }
      return [name, entry.data];
    });
}

function placeTensors(file: string, header: [string, z.infer<typeof entrySchema>][], dataStart: number, size: number): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  let end = 0;
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of [...header].sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1])) {
    const elementBytes = BYTES_PER_ELEMENT[dtype];
    if (elementBytes === undefined) throw damaged(file, `tensor ${name} has the unknown dtype ${dtype}`);
    const expected = shape.reduce((product, dimension) => product * dimension, elementBytes);
    if (to - from !== expected) throw damaged(file, `tensor ${name} ${dtype} [${shape.join(', ')}] needs ${expected} bytes, its offsets hold ${to - from}`);
    if (from !== end) throw damaged(file, `tensor ${name} starts at byte ${from} of the data, ${from < end ? 'inside the tensor before it' : 'after a gap'} (expected ${end})`);
    end = to;
    tensors.set(name, { file, dtype, shape, byteOffset: dataStart + from, byteLength: expected });
  }
  if (dataStart + end !== size) {
    throw damaged(file, `the file has ${size} bytes, its tensors need ${dataStart + end}${dataStart + end > size ? ': it is truncated' : ''}`);
  }
  return tensors;
}
