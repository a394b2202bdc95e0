/**
 * A checkpoint: a folder as Hugging Face writes it (config.json, safetensors in one file or in many behind an index,
 * tokenizer.json), or one GGUF file. Opening reads headers only and checks every tensor that the architecture needs.
 */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { firstFew, isAbsent, outOfMemoryIn, RopesweepError, whyUnreadable, type Problem } from '../domain/errors.js';
import { readConfig, type ConfigFile, type ModelConfig } from './config.js';
import { isIndexable } from './elementLimit.js';
import { splitFusedProjections } from './fusedProjections.js';
import { isGgufPath, readGguf } from './gguf.js';
import { readSafetensorsHeader, type StoredTensor } from './safetensors.js';
import { EMBEDDING, outputProjection, tensorShapes } from './tensorNames.js';
import { elementFormat, isWeightType, WEIGHT_TYPES } from './tensorValues.js';

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
  /** Absolute path of the folder, or of the GGUF file. */
  readonly folder: string;
  /** Name in Hugging Face's words -> where it lies. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** In order of file name. */
  readonly weightFiles: readonly WeightFile[];
  /** How the matrices of the layers are stored: `f32`, `bf16`, `f16`, `q4_1`; `mixed` where they differ. */
  readonly weightFormat: string;
  /** Absolute path of tokenizer.json, if there is one, or of the GGUF file, which holds a tokenizer. */
  readonly tokenizerFile: string | null;
}

/**
 * @param place a folder or a .gguf file
 * @throws RopesweepError CHECKPOINT_MISSING, CHECKPOINT_INVALID, MODEL_UNSUPPORTED
 */
export async function openCheckpoint(place: string): Promise<Checkpoint> {
  const absolute = path.resolve(place);
  const found = isGgufPath(absolute) ? await openGguf(absolute) : await openFolder(absolute);
  const tensors = splitFusedProjections(found.config, found.tensors);
  checkTensors(absolute, found.config, tensors);
  return { ...found, folder: absolute, tensors, weightFormat: weightFormat(found.config, tensors) };
}

type Found = Omit<Checkpoint, 'folder' | 'weightFormat'>;

async function openGguf(file: string): Promise<Found> {
  const model = await readGguf(file);
  return { ...model, weightFiles: [await describeFile(file)], tokenizerFile: file };
}

async function openFolder(folder: string): Promise<Found> {
  const configFile = await readConfig(folder);
  const weightFiles = await findWeightFiles(folder);
  const tensors = new Map<string, StoredTensor>();
  for (const file of weightFiles) {
    for (const [name, tensor] of await readSafetensorsHeader(file.path)) {
      if (tensors.has(name)) throw new RopesweepError('CHECKPOINT_INVALID', { where: file.path, what: `tensor ${name} stands in a second file too: ${tensors.get(name)?.file ?? ''}` });
      tensors.set(name, tensor);
    }
  }
  const tokenizerFile = path.join(folder, 'tokenizer.json');
  return { ...configFile, tensors, weightFiles, tokenizerFile: (await exists(tokenizerFile)) ? tokenizerFile : null };
}

function weightFormat(config: ModelConfig, tensors: ReadonlyMap<string, StoredTensor>): string {
  const tables = [EMBEDDING, outputProjection(config)];
  const types = new Set([...tensors].filter(([name, { shape }]) => shape.length === 2 && !tables.includes(name)).map(([, { dtype }]) => dtype.toLowerCase()));
  const [type = 'mixed'] = types;
  return types.size === 1 ? type : 'mixed';
}

async function exists(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch (error) {
    if (outOfMemoryIn(error) !== null) throw error;
    return false;
  }
}

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

async function findWeightFiles(folder: string): Promise<WeightFile[]> {
  const single = path.join(folder, 'model.safetensors');
  const index = path.join(folder, 'model.safetensors.index.json');
  if (await exists(single)) return [await describeFile(single)];
  if (!(await exists(index))) throw new RopesweepError('CHECKPOINT_MISSING', await withoutSafetensors(folder));
  const names = [...new Set(Object.values(await readIndex(index)))].sort();
  const outside = names.filter((name) => name !== path.basename(name) || !name.endsWith('.safetensors'));
  if (outside.length > 0) {
    throw new RopesweepError('CHECKPOINT_INVALID', firstFew(outside.map((name) => ({ where: index, what: `${JSON.stringify(name)} is not the name of a safetensors file in the folder` }))));
  }
  return Promise.all(names.map((name) => describeFile(path.join(folder, name))));
}

/** Files of Python objects: reading one runs whatever code it carries, so they are converted where that is accepted. */
const PICKLED = /\.(bin|pt|pth)$/;

async function withoutSafetensors(folder: string): Promise<Problem> {
  const pickled = (await readdir(folder)).filter((name) => PICKLED.test(name)).sort();
  const [first] = pickled;
  if (first === undefined) {
    return { where: folder, what: 'there is neither model.safetensors nor model.safetensors.index.json', mend: 'Name a folder with safetensors weights, or a .gguf file.' };
  }
  const convert =
    pickled.length === 1
      ? `python -c "import torch, safetensors.torch as s; s.save_file({k: v.clone() for k, v in torch.load('${first}', map_location='cpu', weights_only=True).items()}, 'model.safetensors')"`
      : `python -c "from transformers import AutoModelForCausalLM as M; M.from_pretrained('.', dtype='auto').save_pretrained('.', safe_serialization=True)"`;
  return { where: folder, what: `the weights are ${first}${pickled.length > 1 ? ` and ${pickled.length - 1} more` : ''}: such files run code when they are read, so only safetensors are read`, mend: `Convert them in the folder: ${convert}` };
}

async function readIndex(index: string): Promise<Record<string, string>> {
  try {
    return indexSchema.parse(JSON.parse(await readFile(index, 'utf8'))).weight_map;
  } catch (cause) {
    throw new RopesweepError('CHECKPOINT_INVALID', { where: index, what: 'it is not JSON with a weight_map of tensor name to file name' }, { cause });
  }
}

async function describeFile(file: string): Promise<WeightFile> {
  try {
    const real = await realpath(file);
    const { size, mtimeMs } = await stat(real);
    return { path: real, name: path.basename(file), size, mtimeMs };
  } catch (cause) {
    throw new RopesweepError('CHECKPOINT_MISSING', { where: file, what: isAbsent(cause) ? 'there is no such file, though the index names it' : whyUnreadable(cause) }, { cause });
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
    else if (!isWeightType(tensor.dtype)) unsupported.push({ where: tensor.file, what: `tensor ${name} is ${tensor.dtype}; supported are ${WEIGHT_TYPES.join(', ')}` });
    else if ((shape.at(-1) ?? 0) % elementFormat(tensor).blockElements !== 0) wrong.push({ where: tensor.file, what: `tensor ${name}: rows of ${shape.at(-1)} are no whole blocks of ${tensor.dtype}` });
    else if (!isIndexable(shape)) unsupported.push({ where: tensor.file, what: `tensor ${name} has 2^31 elements or more` });
  }
  for (const [name, { file }] of tensors) {
    if (expected.has(name) || isBuffer(name, config)) continue;
    unsupported.push({ where: file, what: `tensor ${name} has no place in a decoder of ${config.layers} layers with the parts that config.json names` });
  }
  if (wrong.length > 0) throw new RopesweepError('CHECKPOINT_INVALID', firstFew(wrong));
  if (unsupported.length > 0) throw new RopesweepError('MODEL_UNSUPPORTED', firstFew(unsupported));
}

/** What some files carry and no forward pass reads. */
const isBuffer = (name: string, config: ModelConfig): boolean =>
  name.endsWith('rotary_emb.inv_freq') || (config.tiedEmbeddings && name === 'lm_head.weight');
