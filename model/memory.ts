/**
 * Peak memory of a device while one cell is evaluated, predicted from the architecture.
 *
 *   weights      parameters x bytes of the compute dtype (on a CPU mapped from their files, shared by all slots)
 *   KV cache     2 layers kvHeads headSize n                               where it is kept; else one layer's, as projected
 *                                                                          and as attention gives them back, and its keys in
 *                                                                          float32 for the probes
 *   activations  S (4 hidden + 2 (heads + 2 kvHeads) headSize + 3 intermediate)     S = tokens of a run
 *   tables       2 n rotarySize/2 in float32
 *   probes       3 heads R n in float32                                    R = probed rows
 *   logits       2 rows vocabulary in float32
 *   present      one layer's keys and values at full capacity, where a cache is kept: a run makes them anew, layer by layer
 *   new rows     2 layers kvHeads headSize S, twice: of this run, and of finished ones that wait to be collected
 *   process      what takes part in no cell
 *
 * Activations, tables, probes, logits and present grow with ONNX Runtime's arena. Growth and process were measured on a CPU
 * (docs/memory.md, bench/memory.ts); on a GPU they are assumptions.
 */
import type { DeviceClass, Provider } from '../domain/device.js';
import { BYTES_OF_DTYPE, type ComputeDtype } from '../domain/engine.js';
import { RopesweepError } from '../domain/errors.js';
import type { ModelConfig } from './config.js';
import { assertGraphFits } from './decoderGraph.js';
import { LOSS_BLOCK_ROWS } from './rowLosses.js';
import { assertSingleShotFits } from './singleShotGraph.js';
import { tensorShapes } from './tensorNames.js';

/** Tokens of the longest run where keys and values are kept. */
const LONGEST_RUN_TOKENS = 1024;
/** Rows of logits that exist at once where keys and values are kept. */
const LOGIT_ROWS = 256;
const ARENA_GROWTH = 1.5;
/** Runs whose new rows exist at once. */
const RUNS_OF_ROWS = 2;
/** Node and ONNX Runtime; on a GPU the driver's context and the libraries' kernels. */
const PROCESS_BYTES: { readonly [P in Provider]: number } = { cpu: 110 * 2 ** 20, cuda: 512 * 2 ** 20, webgpu: 110 * 2 ** 20 };
const FLOAT32_BYTES = 4;

export interface CellSizes {
  readonly device: DeviceClass;
  readonly dtype: ComputeDtype;
  readonly contextTokens: number;
  /** Rows whose attention is probed. */
  readonly probeRows: number;
}

/** In bytes. */
export interface PeakMemory {
  readonly weights: number;
  readonly kvCache: number;
  /** Everything else. */
  readonly working: number;
  readonly bytes: number;
}

/** Counted once: a plan asks for every shard. */
const counted = new WeakMap<ModelConfig, number>();

export function parameterCount(config: ModelConfig): number {
  const parameters =
    counted.get(config) ?? [...tensorShapes(config).values()].reduce((sum, shape) => sum + shape.reduce((product, dimension) => product * dimension, 1), 0);
  counted.set(config, parameters);
  return parameters;
}

export function peakMemory(config: ModelConfig, { device, dtype, contextTokens, probeRows }: CellSizes): PeakMemory {
  const { layers, hiddenSize, intermediateSize, heads, keyValueHeads, headSize, vocabularySize } = config;
  const width = BYTES_OF_DTYPE[dtype];
  const weights = parameterCount(config) * width;
  const keyValueWidth = keyValueHeads * headSize;
  // Without a cache a layer's keys and values are gone before the next layer (model/layerOrder.ts).
  const kvCache = (device.keepsKv ? 2 * layers * width : 4 * width + FLOAT32_BYTES) * keyValueWidth * contextTokens;
  const run = device.keepsKv ? Math.min(contextTokens, LONGEST_RUN_TOKENS) : contextTokens;
  const activations = run * (4 * hiddenSize + 2 * (heads + 2 * keyValueHeads) * headSize + 3 * intermediateSize) * width;
  const tables = contextTokens * headSize * FLOAT32_BYTES;
  const probes = 3 * heads * probeRows * contextTokens * FLOAT32_BYTES;
  const logits = 2 * (device.keepsKv ? LOGIT_ROWS : LOSS_BLOCK_ROWS) * vocabularySize * FLOAT32_BYTES;
  const present = device.keepsKv ? kvCache / layers : 0;
  const newRows = device.keepsKv ? (RUNS_OF_ROWS * kvCache * run) / contextTokens : 0;
  const working = ARENA_GROWTH * (activations + tables + probes + logits + present) + newRows + PROCESS_BYTES[device.provider];
  return { weights, kvCache, working, bytes: weights + kvCache + working };
}

/** Why a context is too long for the device's kernels, whatever its memory; null where it is not. */
export function lengthLimit(config: ModelConfig, device: DeviceClass, contextTokens: number, probeRows: number): string | null {
  try {
    if (device.keepsKv) assertGraphFits(config, { capacityTokens: contextTokens, chunkTokens: Math.min(contextTokens, LONGEST_RUN_TOKENS), rows: Math.max(2, probeRows) });
    else assertSingleShotFits(config, { tokens: contextTokens, probeRows });
    return null;
  } catch (error) {
    if (error instanceof RopesweepError && error.code === 'MODEL_UNSUPPORTED') return error.message;
    throw error;
  }
}
