/**
 * Peak memory of a process that evaluates one cell on the CPU, beside what the plan predicts (model/memory.ts). Each cell has
 * a process of its own, since a peak never falls. Weights are zeros in a sparse file: memory does not depend on their values.
 */
import { execFileSync } from 'node:child_process';
import { ftruncateSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEVICE_CLASSES } from '../domain/device.js';
import { packageFile } from '../infra/packageRoot.js';
import { configOf, readConfig, type ModelConfig } from '../model/config.js';
import { peakMemory } from '../model/memory.js';
import { tensorShapes } from '../model/tensorNames.js';
import type { MemoryMeasured, MemoryTask } from './memoryChild.js';
import type { BenchOptions, BenchResult, Ratio } from './result.js';

interface Shape {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>> | null;
  readonly lengths: readonly number[];
}

const LLAMA = { model_type: 'llama', architectures: ['LlamaForCausalLM'], rms_norm_eps: 1e-5, max_position_embeddings: 131_072, torch_dtype: 'float32' };
/** Many narrow layers with grouped heads; few wide ones with a key-value head for every query head. */
const SHAPES: readonly Shape[] = [
  { name: 'starter', config: null, lengths: [1024, 8192] },
  {
    name: 'narrow',
    config: { ...LLAMA, num_hidden_layers: 30, hidden_size: 576, intermediate_size: 1536, num_attention_heads: 9, num_key_value_heads: 3, vocab_size: 49_152, tie_word_embeddings: true },
    lengths: [512, 4096, 8192],
  },
  {
    name: 'wide',
    config: { ...LLAMA, num_hidden_layers: 4, hidden_size: 2048, intermediate_size: 5504, num_attention_heads: 16, num_key_value_heads: 16, vocab_size: 32_000, tie_word_embeddings: false },
    lengths: [512, 4096, 8192],
  },
];
const ANSWER_ROWS = 8;
const STARTER = 'models/starter/base';

/** The share of the prediction that may be missing: a cell that needs more than predicted is refused by nobody. */
const REQUIRED = 0.95;

export async function memory({ only, quick }: BenchOptions): Promise<BenchResult> {
  const figures: Record<string, number> = {};
  const ratios: Record<string, Ratio> = {};
  const parent = mkdtempSync(join(tmpdir(), 'ropesweep-memory-'));
  try {
    for (const { name, config: json, lengths } of SHAPES) {
      const folder = json === null ? packageFile(STARTER) : join(parent, name);
      const config = json === null ? (await readConfig(folder)).config : zeros(folder, json);
      for (const contextTokens of lengths.filter((length) => !quick || length <= 4096)) {
        for (const kind of ['needle', 'perplexity'] as const) {
          const cell = `${name} ${kind}@${contextTokens}`;
          if (only.length > 0 && !only.some((part) => cell.startsWith(part))) continue;
          const measured = measure({ folder, contextTokens, kind, answerRows: ANSWER_ROWS });
          const predicted = predictedBytes(config, contextTokens, kind === 'needle' ? ANSWER_ROWS : 0);
          process.stderr.write(`${cell}: ${(measured.peakBytes / 2 ** 20).toFixed(0)} MiB, ${(measured.fileBytes / 2 ** 20).toFixed(0)} of files, predicted ${(predicted / 2 ** 20).toFixed(0)}\n`);
          figures[`${cell}: peak MiB`] = measured.peakBytes / 2 ** 20;
          figures[`${cell}: predicted MiB`] = predicted / 2 ** 20;
          ratios[cell] = { ours: predicted / 2 ** 20, other: measured.peakBytes / 2 ** 20, unit: 'MiB', against: 'the measured peak', ratio: predicted / measured.peakBytes, required: REQUIRED };
        }
      }
      rmSync(join(parent, name), { recursive: true, force: true });
    }
    return { figures, ratios };
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

function predictedBytes(config: ModelConfig, contextTokens: number, probeRows: number): number {
  const [device] = DEVICE_CLASSES;
  if (device === undefined) throw new Error('there is no class cpu');
  return peakMemory(config, { device, dtype: 'f32', contextTokens, probeRows }).bytes;
}

const measure = (task: MemoryTask): MemoryMeasured =>
  JSON.parse(execFileSync(process.execPath, [fileURLToPath(new URL('./memoryChild.js', import.meta.url)), JSON.stringify(task)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })) as MemoryMeasured;

/** Writes a checkpoint of zeros whose file takes no room. */
function zeros(folder: string, json: Readonly<Record<string, unknown>>): ModelConfig {
  const { config } = configOf(folder, json);
  mkdirSync(folder);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(json));
  let end = 0;
  const entries = [...tensorShapes(config)].map(([tensor, shape]) => {
    const start = end;
    end += shape.reduce((product, size) => product * size, 4);
    return [tensor, { dtype: 'F32', shape, data_offsets: [start, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const padded = Buffer.concat([header, Buffer.alloc((8 - (header.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const file = openSync(join(folder, 'model.safetensors'), 'w');
  try {
    writeSync(file, Buffer.concat([length, padded]));
    ftruncateSync(file, 8 + padded.length + end);
  } finally {
    closeSync(file);
  }
  return config;
}
