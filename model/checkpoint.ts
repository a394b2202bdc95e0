/**
 * A checkpoint folder as Hugging Face writes it: config.json, safetensors (one file, or an index and many), tokenizer.json.
 * Opening reads headers only and checks every tensor that the architecture needs.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { firstFew, RopesweepError, type Problem } from '../domain/errors.js';
import { readConfig, type ConfigFile, type ModelConfig } from './config.js';
import { isIndexable } from './elementLimit.js';
import { readSafetensorsHeader, type StoredTensor } from './safetensors.js';
import { tensorShapes } from './tensorNames.js';

export interface WeightFile {
  /** Absolute, symbolic links resolved. */
  readonly path: string;
  /** As the folder names it: a link's target may carry another name. */
  readonly name: string;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly mtimeMs: number;
}

export interface Checkpoint extends ConfigFile {
  /** Absolute. */
  readonly folder: string;
  /** Name in the file -> where it lies. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** In order of file name. */
  readonly weightFiles: readonly WeightFile[];
  /** Absolute path of tokenizer.json, if there is one. */
  readonly tokenizerFile: string | null;
}

/**
 * @throws RopesweepError CHECKPOINT_MISSING, CHECKPOINT_INVALID, MODEL_UNSUPPORTED
 */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  const absolute = path.resolve(folder);
  const configFile = await readConfig(absolute);
  const weightFiles = await findWeightFiles(absolute);
  const tensors = new Map<string, StoredTensor>();
  for (const file of weightFiles) {
    for (const [name, tensor] of await readSafetensorsHeader(file.path)) {
      if (tensors.has(name)) throw new RopesweepError('CHECKPOINT_INVALID', { where: file.path, what: `tensor ${name} stands in a second file too: ${tensors.get(name)?.file ?? ''}` });
      tensors.set(name, tensor);
    }
  }
  checkTensors(absolute, configFile.config, tensors);
  const tokenizerFile = path.join(absolute, 'tokenizer.json');
  return {
    folder: absolute,
    ...configFile,
    tensors,
    weightFiles,
    tokenizerFile: (await exists(tokenizerFile)) ? tokenizerFile : null,
  };
}

const exists = (file: string): Promise<boolean> => stat(file).then((entry) => entry.isFile(), () => false);

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

async function findWeightFiles(folder: string): Promise<WeightFile[]> {
  const single = path.join(folder, 'model.safetensors');
  const index = path.join(folder, 'model.safetensors.index.json');
  if (await exists(single)) return [await describeFile(folder, 'model.safetensors')];
  if (!(await exists(index))) {
    throw new RopesweepError('CHECKPOINT_MISSING', {
      where: folder,
      what: 'there is neither model.safetensors nor model.safetensors.index.json',
      mend: 'Name a folder with safetensors weights.',
    });
  }
  const names = [...new Set(Object.values(await readIndex(index)))].sort();
  const outside = names.filter((name) => name !== path.basename(name) || !name.endsWith('.safetensors'));
  if (outside.length > 0) {
    throw new RopesweepError('CHECKPOINT_INVALID', outside.map((name) => ({ where: index, what: `${JSON.stringify(name)} is not the name of a safetensors file in the folder` })));
  }
  return Promise.all(names.map((name) => describeFile(folder, name)));
}

async function readIndex(index: string): Promise<Record<string, string>> {
  try {
    return indexSchema.parse(JSON.parse(await readFile(index, 'utf8'))).weight_map;
  } catch (cause) {
    throw new RopesweepError('CHECKPOINT_INVALID', { where: index, what: 'it is not JSON with a weight_map of tensor name to file name' }, { cause });
  }
}

async function describeFile(folder: string, name: string): Promise<WeightFile> {
  const file = path.join(folder, name);
  try {
    const real = await realpath(file);
    const { size, mtimeMs } = await stat(real);
    return { path: real, name, size, mtimeMs };
  } catch (cause) {
    throw new RopesweepError('CHECKPOINT_MISSING', { where: file, what: 'the index names it, but there is no such file' }, { cause });
  }
}

/** Every tensor the architecture needs, with its shape; nothing that the graph would leave out. */
function checkTensors(folder: string, config: ModelConfig, tensors: ReadonlyMap<string, StoredTensor>): void {
  const expected = tensorShapes(config);
  const wrong: Problem[] = [];
  const unsupported: Problem[] = [];
  for (const [name, shape] of expected) {
    const tensor = tensors.get(name);
    if (tensor === undefined) wrong.push({ where: folder, what: `tensor ${name} is missing` });
    else if (tensor.shape.join() !== shape.join()) wrong.push({ where: tensor.file, what: `tensor ${name} is [${tensor.shape.join(', ')}], config.json makes it [${shape.join(', ')}]` });
    else if (tensor.dtype !== 'F32') unsupported.push({ where: tensor.file, what: `tensor ${name} is ${tensor.dtype}, only F32 weights are supported` });
    else if (!isIndexable(shape)) unsupported.push({ where: tensor.file, what: `tensor ${name} has 2^31 elements or more` });
  }
  for (const [name, { file }] of tensors) {
    if (expected.has(name) || isBuffer(name, config)) continue;
    unsupported.push({ where: file, what: `tensor ${name} has no place in a llama decoder of ${config.layers} layers without biases` });
  }
  if (wrong.length > 0) throw new RopesweepError('CHECKPOINT_INVALID', firstFew(wrong));
  if (unsupported.length > 0) throw new RopesweepError('MODEL_UNSUPPORTED', firstFew(unsupported));
}

/** What some files carry and no forward pass reads. */
const isBuffer = (name: string, config: ModelConfig): boolean =>
  name.endsWith('rotary_emb.inv_freq') || (config.tiedEmbeddings && name === 'lm_head.weight');
