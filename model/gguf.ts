/**
 * A checkpoint in one GGUF file: llama.cpp's names and row order, brought into Hugging Face's. Opening reads the header
 * only; weights stay where they are and are decoded when they are read (tensorValues.ts).
 */
import { open, type FileHandle } from 'node:fs/promises';
import { RopesweepError, whyUnreadable } from '../domain/errors.js';
import type { Method } from '../domain/method.js';
import { plainInverseFrequencies } from '../rope/plain.js';
import { configOf, type ConfigFile } from './config.js';
import { ggufArchitecture, ggufFields, type GgufArchitecture } from './ggufConfig.js';
import type { GgufContainer, GgufTensor } from './ggufContainer.js';
import type { StoredTensor } from './safetensors.js';
import { biasOf, EMBEDDING, FINAL_NORM, layerTensors } from './tensorNames.js';

export interface GgufModel extends ConfigFile {
  /** By Hugging Face's names; a tensor without a counterpart keeps its own. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

export const isGgufPath = (file: string): boolean => file.toLowerCase().endsWith('.gguf');

/**
 * @param file absolute path
 * @throws RopesweepError CHECKPOINT_MISSING, CHECKPOINT_INVALID, MODEL_UNSUPPORTED
 */
export async function readGguf(file: string): Promise<GgufModel> {
  return withGguf(file, async (handle, container) => {
    const architecture = ggufArchitecture(file, container);
    const configFile = configOf(file, ggufFields(file, architecture, container));
    const divisors = container.tensors.get(ROPE_DIVISORS);
    return {
      ...configFile,
      ...(divisors !== undefined && { ropeSettings: await dividedFrequencies(handle, file, divisors, configFile) }),
      tensors: renamed(file, architecture, container.tensors, configFile.config.layers),
    };
  });
}

/** Opens the file for as long as `use` takes. @throws RopesweepError CHECKPOINT_MISSING, CHECKPOINT_INVALID, MODEL_UNSUPPORTED */
export async function withGguf<Result>(file: string, use: (handle: FileHandle, container: GgufContainer) => Promise<Result>): Promise<Result> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (cause) {
    throw new RopesweepError('CHECKPOINT_MISSING', { where: file, what: whyUnreadable(cause) }, { cause });
  }
  try {
    // Its parser brings tables of all that its maker hosts: loaded for a GGUF file only.
    const { readGgufContainer } = await import('./ggufContainer.js');
    return await use(handle, await readGgufContainer(handle, file));
  } finally {
    await handle.close();
  }
}

/** How files carry Llama 3's scaling: what inverse frequencies are divided by, [rotarySize / 2]. No key speaks of it. */
const ROPE_DIVISORS = 'rope_freqs.weight';

async function dividedFrequencies(handle: FileHandle, file: string, tensor: GgufTensor, { geometry, ropeSettings }: ConfigFile): Promise<Method> {
  const pairs = geometry.rotarySize / 2;
  const where = `${file}: ${ROPE_DIVISORS}`;
  if (ropeSettings.name !== 'none') throw new RopesweepError('MODEL_UNSUPPORTED', { where, what: `it divides frequencies that the keys of rope.scaling change too` });
  if (tensor.dtype !== 'F32' || tensor.shape.join() !== String(pairs)) {
    throw new RopesweepError('CHECKPOINT_INVALID', { where, what: `it is ${tensor.dtype} [${tensor.shape.join(', ')}], not F32 [${pairs}]` });
  }
  const bytes = Buffer.alloc(tensor.byteLength);
  await handle.read(bytes, 0, bytes.length, tensor.byteOffset);
  const divisors = Array.from({ length: pairs }, (_, pair) => bytes.readFloatLE(4 * pair));
  if (!divisors.every((divisor) => divisor > 0 && Number.isFinite(divisor))) throw new RopesweepError('CHECKPOINT_INVALID', { where, what: 'a divisor is not a positive number' });
  const plain = plainInverseFrequencies(geometry.rotarySize, geometry.base);
  return { name: 'custom', label: 'rope_freqs', inverseFrequencies: plain.map((frequency, pair) => frequency / (divisors[pair] ?? NaN)), attentionFactor: 1 };
}

/** [GGUF's name within a layer, Hugging Face's whole name of the matrix] */
function layerNames(layer: number): readonly (readonly [string, string])[] {
  const names = layerTensors(layer);
  return [
    ['attn_norm', names.attentionNorm],
    ['attn_q', names.query],
    ['attn_k', names.key],
    ['attn_v', names.value],
    ['attn_output', names.attentionOutput],
    ['ffn_norm', names.mlpNorm],
    ['ffn_gate', names.gate],
    ['ffn_up', names.up],
    ['ffn_down', names.down],
  ];
}

function renamed(file: string, architecture: GgufArchitecture, tensors: ReadonlyMap<string, GgufTensor>, layers: number): Map<string, StoredTensor> {
  const names = new Map([
    ['token_embd.weight', EMBEDDING],
    ['output_norm.weight', FINAL_NORM],
    ['output.weight', 'lm_head.weight'],
  ]);
  const interleaved = new Set<string>();
  for (let layer = 0; layer < layers; layer += 1) {
    for (const [short, name] of layerNames(layer)) {
      const stem = `blk.${layer}.${short}`;
      names.set(`${stem}.weight`, name).set(`${stem}.bias`, biasOf(name));
      if (architecture === 'llama' && (short === 'attn_q' || short === 'attn_k')) interleaved.add(name).add(biasOf(name));
    }
  }
  return new Map(
    [...tensors].flatMap(([own, tensor]): [string, StoredTensor][] => {
      const name = names.get(own) ?? own;
      return own === ROPE_DIVISORS ? [] : [[name, { file, ...tensor, ...(interleaved.has(name) && { rowOrder: 'interleaved' }) }]];
    }),
  );
}
