/**
 * The container of a GGUF file: metadata and where each tensor lies. The layout is that of ggml's docs/gguf.md, read by
 * Hugging Face's parser.
 *
 * Files come from anywhere, and the parser was made for files that are as they should be: it takes what lies past the end
 * for zeros, cuts a text that crosses the end of what it has fetched, drops byte order marks and believes offsets. So it is
 * given nothing beyond the file, texts are read again where it says they stand, and every place is checked against the
 * file before it is believed.
 */
import type { FileHandle } from 'node:fs/promises';
import { gguf, GGMLQuantizationType, GGUFValueType, type GGUFTensorInfo, type GGUFTypedMetadata, type MetadataValue } from '@huggingface/gguf';
import { groupBy } from '../domain/groupBy.js';
import { firstFew, messageOf, RopesweepError, type Problem } from '../domain/errors.js';
import { elementFormat, isWeightType, WEIGHT_TYPES, type WeightType } from './tensorValues.js';

export interface GgufTensor {
  readonly dtype: WeightType;
  /** [rows, columns] or [length]; the file has them the other way round. */
  readonly shape: readonly number[];
  /** From the start of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

export interface GgufContainer {
  /** As the file has them, in its order; 64-bit integers as numbers. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}
export type GgufValue = string | number | boolean | readonly (string | number | boolean)[];

/** magic, version, number of tensors, number of keys */
const HEADER_BYTES = 4 + 4 + 8 + 8;
const TYPE_BYTES = 4;
const SMALLEST_TENSOR_ENTRY = 8 + 4 + 8 + 4 + 8;
const SMALLEST_KEY_ENTRY = 8 + 4 + 1;
/** Far above any model's; what the header claims costs time before it can be held against the file. */
const MOST_TENSORS = 100_000;

/**
 * @param file what errors name
 * @throws RopesweepError CHECKPOINT_INVALID; MODEL_UNSUPPORTED with the names of tensor types that ropesweep does not decode
 */
export async function readGgufContainer(handle: FileHandle, file: string): Promise<GgufContainer> {
  const { size } = await handle.stat();
  await checkHeader(handle, file, size);
  const parsed = await parse(handle, file, size);
  const [infoStart, infoEnd] = parsed.tensorInfoByteRange;
  if (infoEnd > size) throw damaged(file, `its header needs ${infoEnd} bytes, the file has ${size}`);
  const metadata = readValues(file, await readExactly(handle, file, infoStart), parsed.typedMetadata);
  const alignment = metadata.get('general.alignment') ?? 32;
  if (typeof alignment !== 'number' || !Number.isInteger(Math.log2(alignment)) || alignment > 2 ** 20) {
    throw damaged(file, `general.alignment is ${String(alignment)}, not a power of two`);
  }
  const dataStart = Math.ceil(infoEnd / alignment) * alignment;
  return { metadata, tensors: placeTensors(file, parsed.tensorInfos, { dataStart, size, alignment }) };
}

const damaged = (file: string, what: string, cause?: unknown): RopesweepError =>
  new RopesweepError('CHECKPOINT_INVALID', { where: file, what, mend: 'The download or copy may have stopped half-way: fetch the file again.' }, { cause });

async function checkHeader(handle: FileHandle, file: string, size: number): Promise<void> {
  if (size < HEADER_BYTES) throw damaged(file, `the file has ${size} bytes, too few for a GGUF header`);
  const header = await readExactly(handle, file, HEADER_BYTES);
  if (header.toString('latin1', 0, 4) !== 'GGUF') throw damaged(file, 'it does not start with the letters GGUF');
  const version = header.readUInt32LE(4);
  if (version !== 2 && version !== 3) {
    const why = version === 1 ? 'version 1 was given up in 2023' : (version & 0xffff) === 0 ? 'big-endian files are not supported' : 'versions 2 and 3 are known';
    throw new RopesweepError('MODEL_UNSUPPORTED', { where: file, what: `GGUF version ${version}: ${why}`, mend: "Convert the original checkpoint with today's llama.cpp." });
  }
  const [tensors, keys] = [header.readBigUInt64LE(8), header.readBigUInt64LE(16)];
  const rest = BigInt(size - HEADER_BYTES);
  if (tensors > MOST_TENSORS || tensors * BigInt(SMALLEST_TENSOR_ENTRY) + keys * BigInt(SMALLEST_KEY_ENTRY) > rest) {
    throw damaged(file, `its header claims ${String(tensors)} tensors and ${String(keys)} keys, more than ${size} bytes hold`);
  }
}

async function parse(handle: FileHandle, file: string, size: number) {
  try {
    // The parser's own way to local files pads them with zeros: it is served ranges instead. The address is never used.
    return await gguf('https://file.invalid/', { typedMetadata: true, fetch: serveRanges(handle, size) });
  } catch (cause) {
    throw damaged(file, `its header cannot be read: ${messageOf(cause)}`, cause);
  }
}

/** Ranges of the file as a server gives them. One past the end is empty (the parser reads ahead), a later one an error. */
function serveRanges(handle: FileHandle, size: number): typeof fetch {
  let ended = false;
  return async (_, options) => {
    const [from, to] = /^bytes=(\d+)-(\d+)$/.exec(new Headers(options?.headers).get('range') ?? '')?.slice(1).map(Number) ?? [];
    if (from === undefined || to === undefined || ended) throw new Error('it goes on past the end of the file');
    ended = to >= size && from > 0;
    const bytes = Buffer.alloc(Math.max(0, Math.min(size, to + 1) - from));
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, from);
    return new Response(bytes.subarray(0, bytesRead));
  };
}

/** What the parser puts among the keys of the file. */
const COUNTS = new Set(['version', 'tensor_count', 'kv_count']);
type TypedValue = GGUFTypedMetadata[string];
const fileKeys = (metadata: GGUFTypedMetadata): [string, TypedValue][] => Object.entries<TypedValue>(metadata).filter(([key]) => !COUNTS.has(key));

const VALUE_BYTES: { readonly [Type in GGUFValueType]?: number } = {
  [GGUFValueType.UINT8]: 1,
  [GGUFValueType.INT8]: 1,
  [GGUFValueType.BOOL]: 1,
  [GGUFValueType.UINT16]: 2,
  [GGUFValueType.INT16]: 2,
  [GGUFValueType.UINT32]: 4,
  [GGUFValueType.INT32]: 4,
  [GGUFValueType.FLOAT32]: 4,
  [GGUFValueType.UINT64]: 8,
  [GGUFValueType.INT64]: 8,
  [GGUFValueType.FLOAT64]: 8,
};

/**
 * The values of all keys, texts read from the bytes themselves.
 * @param bytes of the file, up to the end of its metadata
 */
function readValues(file: string, bytes: Buffer, typed: GGUFTypedMetadata): Map<string, GgufValue> {
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let at = HEADER_BYTES;
  const skip = (count: number): void => {
    at += count;
    if (!(at <= bytes.length)) throw damaged(file, 'its metadata do not end where its tensors begin');
  };
  const text = (): string => {
    skip(8);
    const start = at;
    skip(Number(bytes.readBigUInt64LE(start - 8)));
    try {
      return utf8.decode(bytes.subarray(start, at));
    } catch (cause) {
      throw damaged(file, `the text at byte ${start} of its metadata is not UTF-8`, cause);
    }
  };
  const values = new Map<string, GgufValue>();
  for (const [key, { type, subType, value }] of fileKeys(typed)) {
    if (text() !== key) throw damaged(file, `the key ${JSON.stringify(key)} stands twice in its metadata`);
    skip(TYPE_BYTES);
    if (!Array.isArray(value)) {
      if (type !== GGUFValueType.STRING) skip(VALUE_BYTES[type] ?? NaN);
      values.set(key, type === GGUFValueType.STRING ? text() : scalar(value));
      continue;
    }
    skip(TYPE_BYTES + 8);
    if (subType !== GGUFValueType.STRING) skip(value.length * (VALUE_BYTES[subType ?? GGUFValueType.ARRAY] ?? NaN));
    values.set(key, subType === GGUFValueType.STRING ? value.map(text) : value.map(scalar));
  }
  if (at !== bytes.length) throw damaged(file, 'its metadata do not end where its tensors begin');
  return values;
}

/** Lists of lists have been refused by their bytes. */
const scalar = (value: MetadataValue): string | number | boolean => (typeof value === 'bigint' || Array.isArray(value) ? Number(value) : value);

async function readExactly(handle: FileHandle, file: string, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await handle.read(bytes, 0, length, 0);
  if (bytesRead !== length) throw damaged(file, 'it became shorter while it was read');
  return bytes;
}

interface DataPlace {
  readonly dataStart: number;
  readonly size: number;
  readonly alignment: number;
}

function placeTensors(file: string, infos: readonly GGUFTensorInfo[], { dataStart, size, alignment }: DataPlace): Map<string, GgufTensor> {
  refuseUnreadable(file, infos);
  const tensors = new Map<string, GgufTensor>();
  for (const { name, shape: reversed, dtype: type, offset } of infos) {
    const dtype = GGMLQuantizationType[type];
    if (!isWeightType(dtype)) continue;
    const shape = reversed.map(Number).reverse();
    const { blockElements, blockBytes } = elementFormat({ dtype, file });
    const columns = shape.at(-1) ?? 0;
    const byteLength = (shape.reduce((product, dimension) => product * dimension, 1) / blockElements) * blockBytes;
    const byteOffset = dataStart + Number(offset);
    const what = `tensor ${name} ${dtype} [${shape.join(', ')}]`;
    if (shape.length < 1 || shape.length > 4 || columns < 1 || columns % blockElements !== 0 || !Number.isSafeInteger(byteLength) || byteLength < 1) {
      throw damaged(file, `${what} has no such shape${blockElements > 1 ? ` in blocks of ${blockElements}` : ''}`);
    }
    if (!Number.isSafeInteger(byteOffset) || byteOffset % alignment !== 0) throw damaged(file, `${what} starts at byte ${byteOffset}, off the alignment of ${alignment}`);
    if (byteOffset + byteLength > size) throw damaged(file, `${what} ends at byte ${byteOffset + byteLength}, the file at ${size}: it is truncated`);
    if (tensors.has(name)) throw damaged(file, `tensor ${name} stands twice`);
    tensors.set(name, { dtype, shape, byteOffset, byteLength });
  }
  refuseOverlaps(file, tensors);
  return tensors;
}

function refuseUnreadable(file: string, infos: readonly GGUFTensorInfo[]): void {
  const unreadable = infos.flatMap(({ name, dtype }) => {
    const type = GGMLQuantizationType[dtype] as string | undefined;
    return type !== undefined && isWeightType(type) ? [] : [{ name, type: type ?? `of type ${dtype}` }];
  });
  const problems = [...groupBy(unreadable, ({ type }) => type)].map(([type, tensors]): Problem => ({
    where: file,
    what: `tensor ${tensors[0]?.name ?? ''}${tensors.length > 1 ? ` and ${tensors.length - 1} more` : ''}: ${type}, which is not one of ${WEIGHT_TYPES.join(', ')}`,
    mend: 'Use the F16 or Q8_0 file of the same model, or convert this one with llama-quantize.',
  }));
  if (problems.length > 0) throw new RopesweepError('MODEL_UNSUPPORTED', firstFew(problems));
}

function refuseOverlaps(file: string, tensors: ReadonlyMap<string, GgufTensor>): void {
  let end = 0;
  for (const [name, { byteOffset, byteLength }] of [...tensors].sort(([, a], [, b]) => a.byteOffset - b.byteOffset)) {
    if (byteOffset < end) throw damaged(file, `tensor ${name} starts at byte ${byteOffset}, inside the tensor before it`);
    end = byteOffset + byteLength;
  }
}
