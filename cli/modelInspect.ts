/** `ropesweep model inspect`: what a checkpoint is, as ropesweep reads it. Weights are hashed, not computed with. */
import { totalmem } from 'node:os';
import Table from 'cli-table3';
import { Command } from 'commander';
import { autoDtype, DEVICE_CLASSES } from '../domain/device.js';
import type { ComputeDtype } from '../domain/engine.js';
import { messageOf, RopesweepError } from '../domain/errors.js';
import type { Method, RopeGeometry } from '../domain/method.js';
import { weightFormatLabel } from '../domain/weightFormat.js';
import { openCheckpoint, type Checkpoint } from '../model/checkpoint.js';
import type { ModelConfig } from '../model/config.js';
import { lengthLimit, parameterCount, peakMemory } from '../model/memory.js';
import { readTokenizerFiles } from '../model/tokenizerFiles.js';
import { sha256OfFile, weightsId } from '../model/weightsId.js';
import { aboutMethod, effectiveScale, logitScale, methodLabel, ropeTable, tableDependsOnLength } from '../rope/method.js';
import { MODEL_ARGUMENT, modelPlace } from './modelPlace.js';
import { printJson, printLine } from './output.js';

interface InspectOptions {
  readonly json: boolean;
  readonly hash: boolean;
}

interface InspectedTokenizer {
  readonly vocabularySize: number;
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
  /** Whether BOS is put before a text. */
  readonly addsBos: boolean;
  readonly chatTemplate: boolean;
  readonly digest: string;
}

/** What `ropesweep model inspect --json` prints. */
export interface InspectReport {
  readonly path: string;
  readonly family: string;
  readonly architecture: ModelConfig;
  readonly parameters: number;
  readonly weights: { readonly format: string; readonly label: string; readonly files: number; readonly bytes: number; readonly id: string | null };
  /** L0 in tokens. */
  readonly trainedContextTokens: number;
  readonly rope: RopeGeometry & {
    readonly method: string;
    readonly label: string;
    readonly parameters: Readonly<Record<string, unknown>>;
    readonly source: string;
    /** Of the table at the trained context, or at the longest that the settings aim at. */
    readonly effectiveScale: number;
    readonly logitScale: number;
    readonly warnings: readonly string[];
  };
  /** null: there is none; `error`: it cannot be used. */
  readonly tokenizer: InspectedTokenizer | { readonly error: string } | null;
  readonly memory: readonly {
    readonly deviceClass: string;
    readonly dtype: ComputeDtype;
    readonly deviceBytes: number;
    /** `bytes` null: the kernels cannot index that length. */
    readonly lengths: readonly { readonly contextTokens: number; readonly bytes: number | null; readonly fits: boolean }[];
  }[];
}

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('Say what a checkpoint is: architecture, trained context, RoPE settings, weights id, tokenizer, memory at lengths.')
    .argument('<model>', MODEL_ARGUMENT)
    .option('--no-hash', 'leave the weights id out: it takes reading every weight file')
    .option('--json', 'print one JSON object', false)
    .addHelpText(
      'after',
      `
Examples:
  ropesweep model inspect models/starter/base
  ropesweep model inspect registry:smollm2-135m --no-hash --json`,
    )
    .action(async (model: string, options: InspectOptions) => {
      const report = await inspectModel(await openCheckpoint(modelPlace(model)), options.hash);
      if (options.json) printJson(report);
      else printReport(report);
    });
}

/** @throws RopesweepError CHECKPOINT_MISSING if a weight file goes away meanwhile */
export async function inspectModel(checkpoint: Checkpoint, hash: boolean): Promise<InspectReport> {
  const { config, geometry, weightFiles, weightFormat } = checkpoint;
  const bytes = weightFiles.reduce((sum, file) => sum + file.size, 0);
  return {
    path: checkpoint.folder,
    family: checkpoint.family,
    architecture: config,
    parameters: parameterCount(config),
    weights: { format: weightFormat, label: weightFormatLabel(weightFormat), files: weightFiles.length, bytes, id: hash ? await hashWeights(checkpoint, bytes) : null },
    trainedContextTokens: geometry.originalContextTokens,
    rope: ropeOf(checkpoint),
    tokenizer: await tokenizerOf(checkpoint.folder),
    memory: DEVICE_CLASSES.filter(({ provider }) => provider !== 'webgpu').map((device) => {
      const dtype = autoDtype(device.provider, weightFormat);
      const deviceBytes = device.memoryBytes ?? totalmem();
      const lengths = lengthsFor(geometry.originalContextTokens).map((contextTokens) => {
        const tooLong = lengthLimit(config, device, contextTokens, PROBE_ROWS) !== null;
        const peak = tooLong ? null : peakMemory(config, { device, dtype, contextTokens, probeRows: PROBE_ROWS }).bytes;
        return { contextTokens, bytes: peak, fits: peak !== null && peak <= deviceBytes };
      });
      return { deviceClass: device.name, dtype, deviceBytes, lengths };
    }),
  };
}

/** Rows of an answer of a usual length. */
const PROBE_ROWS = 8;

/** From 1k to 128k in steps of four, and the trained context. */
const lengthsFor = (trained: number): number[] => [...new Set([1024, 4096, 16_384, 65_536, 131_072, trained])].sort((a, b) => a - b);

/** Megabytes above which a person would wonder what takes so long. */
const TOLD_BYTES = 500e6;

async function hashWeights(checkpoint: Checkpoint, totalBytes: number): Promise<string> {
  const told = process.stderr.isTTY && totalBytes > TOLD_BYTES;
  let [done, lastTold] = [0, 0];
  const id = await weightsId(checkpoint, (file) =>
    sha256OfFile(file, (bytes) => {
      done += bytes;
      if (!told || Date.now() - lastTold < 200) return;
      lastTold = Date.now();
      process.stderr.write(`\rhashing weights: ${((100 * done) / totalBytes).toFixed(0)} % of ${gigabytes(totalBytes)}`);
    }),
  );
  if (told) process.stderr.write('\r\u001b[K');
  return id;
}

function ropeOf({ geometry, ropeSettings, ropeWarnings }: Checkpoint): InspectReport['rope'] {
  const { name, ...parameters } = ropeSettings;
  const table = ropeTable(ropeSettings, geometry, aim(ropeSettings, geometry));
  return {
    ...geometry,
    method: name,
    label: methodLabel(ropeSettings),
    parameters,
    source: aboutMethod(name).source,
    effectiveScale: effectiveScale(table, geometry),
    logitScale: logitScale(table),
    warnings: ropeWarnings.map(({ where, what }) => `${where}: ${what}`),
  };
}

/** Tokens at which a table that depends on the length is looked at. */
const aim = (method: Method, { originalContextTokens }: RopeGeometry): number =>
  tableDependsOnLength(method) && 'factor' in method && method.factor !== undefined ? Math.round(originalContextTokens * method.factor) : originalContextTokens;

async function tokenizerOf(place: string): Promise<InspectReport['tokenizer']> {
  try {
    const files = await readTokenizerFiles(place);
    if (files === null) return null;
    const { vocabularySize, bosTokenId, eosTokenIds, addBos, chatTemplate, digest } = files;
    return { vocabularySize, bosTokenId, eosTokenIds, addsBos: addBos, chatTemplate: chatTemplate !== null, digest };
  } catch (error) {
    if (error instanceof RopesweepError) return { error: messageOf(error) };
    throw error;
  }
}

const gigabytes = (bytes: number): string => (bytes < 1e9 ? `${(bytes / 1e6).toPrecision(3)} MB` : `${(bytes / 1e9).toPrecision(3)} GB`);
const grouped = (value: number): string => value.toLocaleString('en-US');

function printReport(report: InspectReport): void {
  for (const line of [...describeModel(report), ...describeRope(report), describeTokenizer(report.tokenizer)]) printLine(line);
  printLine('');
  printLine(memoryTable(report));
  printLine('Predicted peak of one cell; "no" = more than the device has, or more than its kernels can index.');
}

function describeModel({ path, family, architecture, parameters, weights, trainedContextTokens }: InspectReport): string[] {
  const { layers, hiddenSize, heads, keyValueHeads, headSize, intermediateSize, vocabularySize, tiedEmbeddings, biases, queryKeyNorm, windows, unrotatedLayers } = architecture;
  const windowed = windows?.filter((window) => window !== null) ?? [];
  const parts = [
    ...(tiedEmbeddings ? ['tied embeddings'] : []),
    ...(biases === undefined ? [] : [`biases on ${biases.join(', ')}`]),
    ...(queryKeyNorm ? ['norms on queries and keys'] : []),
    ...(windowed.length === 0 ? [] : [`window of ${[...new Set(windowed)].map(grouped).join(' or ')} tokens in ${windowed.length} layers`]),
    ...(unrotatedLayers === undefined ? [] : [`no rotation in layers ${unrotatedLayers.join(', ')}`]),
  ];
  return [
    path,
    `architecture     ${family}, ${layers} layers, width ${grouped(hiddenSize)}, ${heads} heads of ${headSize} (${keyValueHeads} key-value), MLP ${grouped(intermediateSize)}, vocabulary ${grouped(vocabularySize)}`,
    ...(parts.length === 0 ? [] : [`                 ${parts.join('; ')}`]),
    `parameters       ${grouped(parameters)}`,
    `weights          ${weights.label}, ${gigabytes(weights.bytes)} in ${weights.files} ${weights.files === 1 ? 'file' : 'files'}`,
    `weights id       ${weights.id ?? 'not computed (--no-hash)'}`,
    `trained context  ${grouped(trainedContextTokens)} tokens`,
  ];
}

function describeRope({ rope, trainedContextTokens }: InspectReport): string[] {
  const meaning = rope.method === 'none' ? 'plain RoPE: nothing extends the trained context' : `already extends the ${grouped(trainedContextTokens)} trained tokens; a method of a sweep replaces it`;
  return [
    `RoPE             ${rope.label} (${rope.source}): ${meaning}`,
    `                 base ${grouped(rope.base)}, ${rope.rotarySize} rotating dimensions, effective scale ${rope.effectiveScale.toPrecision(4)}, logits x ${rope.logitScale.toPrecision(4)}`,
    ...rope.warnings.map((warning) => `                 note: ${warning}`),
  ];
}

function describeTokenizer(tokenizer: InspectReport['tokenizer']): string {
  if (tokenizer === null) return 'tokenizer        none: prompts of text cannot be built, prompts of token ids can';
  if ('error' in tokenizer) return `tokenizer        cannot be used: ${tokenizer.error}`;
  const { vocabularySize, bosTokenId, eosTokenIds, addsBos, chatTemplate } = tokenizer;
  const bos = bosTokenId === null ? 'no BOS' : `BOS ${bosTokenId}${addsBos ? '' : ' (not put before texts)'}`;
  const eos = eosTokenIds.length === 0 ? 'no EOS' : `EOS ${eosTokenIds.join(', ')}`;
  return `tokenizer        ${grouped(vocabularySize)} tokens, ${bos}, ${eos}, ${chatTemplate ? 'chat template' : 'no chat template'}`;
}

function memoryTable({ memory }: InspectReport): string {
  const table = new Table({
    head: ['tokens', ...memory.map(({ deviceClass, dtype }) => `${deviceClass} ${dtype}`)],
    style: { head: [], border: [] },
    colAligns: ['right', ...memory.map(() => 'right' as const)],
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  memory[0]?.lengths.forEach(({ contextTokens }, row) => {
    const cells = memory.map(({ lengths }) => {
      const length = lengths[row];
      if (length?.bytes === null || length === undefined) return 'no';
      return length.fits ? gigabytes(length.bytes) : `no (${gigabytes(length.bytes)})`;
    });
    table.push([grouped(contextTokens), ...cells]);
  });
  return table.toString();
}
