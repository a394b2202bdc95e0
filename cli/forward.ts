/**
 * `ropesweep model forward`: one forward pass, so that anyone can hold ropesweep against an implementation of their own.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { z } from 'zod';
import { COMPUTE_DTYPES, ENGINE, PROVIDER } from '../domain/engine.js';
import { EXIT, RopesweepError } from '../domain/errors.js';
import { Decoder } from '../evaluation/decoder.js';
import { forwardPass } from '../evaluation/forward.js';
import { mostExactThreads } from '../model/exactThreads.js';
import { methodLabel, ropeTable } from '../rope/method.js';
import { fingerprint, installedOnnxruntime } from '../runtime/fingerprint.js';
import { wholeNumber } from '../infra/commandLine.js';
import { addMethodOptions, METHOD_LIST, methodHelp, readMethod, tellSettings, type MethodOptions } from './methodOptions.js';
import { MODEL_ARGUMENT, openFloat32 } from './modelPlace.js';
import { printLine } from './output.js';

interface ForwardOptions extends MethodOptions {
  readonly tokens: string;
  readonly method?: string;
  readonly rows: number;
  readonly span?: readonly [number, number];
  readonly threads: number;
  readonly json?: boolean;
}

type ByHead = readonly (readonly (readonly number[])[])[];

/** What `ropesweep model forward --json` prints; T tokens, N rows asked for. */
export interface ForwardReport {
  /** [N][vocabulary] */
  readonly logits: readonly (readonly number[])[];
  /** [T] */
  readonly top1: readonly number[];
  /** [T - 1] nats */
  readonly nll: readonly number[];
  /** These, each [layers][heads][N]; entropy in nats. */
  readonly entropy: ByHead;
  readonly maxProbability: ByHead;
  readonly maxPosition: ByHead;
  readonly sinkMass: ByHead;
  /** null without --span */
  readonly spanMass: ByHead | null;
  /** False if a number is infinite or not a number; JSON shows it as null. */
  readonly finite: boolean;
  readonly method: string;
  readonly engine: {
    readonly onnxruntime: string;
    readonly provider: typeof PROVIDER;
    readonly graph: number;
    readonly dtype: (typeof COMPUTE_DTYPES)[number];
    readonly threads: number;
    readonly fingerprint: string;
  };
}

export function forwardCommand(): Command {
  const command = new Command('forward')
    .description('Run one forward pass of a checkpoint over given token ids.')
    .argument('<model>', MODEL_ARGUMENT)
    .requiredOption('--tokens <file>', 'JSON array of token ids')
    .option('--method <method>', `${METHOD_LIST} (default: what config.json says)`)
    .option('--rows <n>', 'how many of the last rows to show logits and attention of', wholeNumber('--rows'), 1)
    .option('--span <a:b>', 'keys a to b - 1, whose attention mass is summed', parseSpan)
    .option('--threads <n>', 'most threads of the engine; the numbers do not depend on it', wholeNumber('--threads'), availableParallelism())
    .option('--json', 'print one JSON object, on one line');
  return addMethodOptions(command)
    .addHelpText(
      'after',
      `
${methodHelp()}

Examples:
  ropesweep model forward models/starter/base --tokens tokens.json
  ropesweep model forward models/starter/base --tokens tokens.json --method yarn --factor 8 --rows 4 --span 13:19 --json`,
    )
    .action(async (model: string, options: ForwardOptions) => {
      const report = await forwardReport(model, options);
      if (!report.finite) {
        console.error('the pass has diverged: a loss, a logit or an entropy is infinite or not a number (model verify tells whether the weights are sound)');
        process.exitCode = EXIT.error;
      }
      if (options.json === true) printLine(JSON.stringify(report));
      else printReport(report, options.rows);
    });
}

/** @throws RopesweepError OPTION_INVALID, METHOD_INVALID, and those of opening a checkpoint */
export async function forwardReport(model: string, options: ForwardOptions): Promise<ForwardReport> {
  const checkpoint = await openFloat32(model);
  const tokens = await readTokens(options.tokens, checkpoint.config.vocabularySize);
  const { rows, span } = options;
  const threads = Math.min(options.threads, mostExactThreads(checkpoint.config));
  if (rows > tokens.length) throw new RopesweepError('OPTION_INVALID', { where: '--rows', what: `${String(rows)} rows of ${String(tokens.length)} tokens` });
  if (span !== undefined && span[1] > tokens.length) {
    throw new RopesweepError('OPTION_INVALID', { where: '--span', what: `${span.join(':')} ends after the ${String(tokens.length)} tokens` });
  }
  const geometry = {
    ...checkpoint.geometry,
    base: options.base ?? checkpoint.geometry.base,
    originalContextTokens: options.originalContext ?? checkpoint.geometry.originalContextTokens,
  };
  const method = readMethod(options.method, options, geometry, checkpoint.ropeSettings);
  tellSettings(checkpoint, { method, geometry });
  const [dtype] = COMPUTE_DTYPES;

  const decoder = await Decoder.open(checkpoint, { threads, dtype });
  try {
    decoder.useTable(ropeTable(method, geometry, tokens.length), tokens.length);
    const { top1, nll, last, finite } = await forwardPass(decoder, tokens, rows, span === undefined ? {} : { spans: [span] });
    const byHead = (flat: ArrayLike<number>): ByHead => reshape(flat, decoder.layers, decoder.heads, rows);
    return {
      logits: last.rows.map((row) => Array.from(row.logits ?? [])),
      top1,
      nll,
      entropy: byHead(last.probes.entropy),
      maxProbability: byHead(last.probes.maxProbability),
      maxPosition: byHead(last.probes.maxPosition),
      sinkMass: byHead(last.probes.sinkMass),
      spanMass: span === undefined ? null : byHead(last.probes.spanMass),
      finite,
      method: methodLabel(method),
      engine: { onnxruntime: installedOnnxruntime(), provider: PROVIDER, graph: ENGINE.graph, dtype, threads, fingerprint: fingerprint() },
    };
  } finally {
    await decoder.dispose();
  }
}

const reshape = (flat: ArrayLike<number>, layers: number, heads: number, rows: number): ByHead =>
  Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: heads }, (_, head) => Array.from({ length: rows }, (_, row) => flat[(layer * heads + head) * rows + row] ?? NaN)),
  );

function parseSpan(text: string): readonly [number, number] {
  const [from, to] = /^(\d+):(\d+)$/.exec(text)?.slice(1).map(Number) ?? [];
  if (from === undefined || to === undefined || from >= to) {
    throw new RopesweepError('OPTION_INVALID', { where: '--span', what: `${JSON.stringify(text)} is not A:B with A < B`, mend: 'Give the first position and the one after the last, such as 10:20.' });
  }
  return [from, to];
}

async function readTokens(file: string, vocabularySize: number): Promise<number[]> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new RopesweepError('OPTION_INVALID', { where: '--tokens', what: `${file} cannot be read as JSON: ${(cause as Error).message}` }, { cause });
  }
  const parsed = z.array(z.int().nonnegative().max(vocabularySize - 1)).min(1).safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new RopesweepError('OPTION_INVALID', {
    where: `--tokens${issue === undefined || issue.path.length === 0 ? '' : `[${issue.path.join('.')}]`}`,
    what: issue?.message ?? 'malformed',
    mend: `Give a JSON array of token ids below ${String(vocabularySize)}.`,
  });
}

function printReport(report: ForwardReport, rows: number): void {
  const { top1, nll, entropy, method, engine } = report;
  const tokens = top1.length;
  printLine(`${String(tokens)} tokens, method ${method}, mean NLL ${(nll.reduce((sum, value) => sum + value, 0) / Math.max(1, nll.length)).toPrecision(6)} nats`);
  for (let row = 0; row < rows; row += 1) {
    const perHead = entropy.flatMap((heads) => heads.map((values) => values[row] ?? NaN));
    const meanEntropy = perHead.reduce((sum, value) => sum + value, 0) / perHead.length;
    printLine(`row ${String(tokens - rows + row)}: most likely next token ${String(top1[tokens - rows + row])}, mean attention entropy ${meanEntropy.toPrecision(6)} nats`);
  }
  printLine(`onnxruntime ${engine.onnxruntime} (${engine.provider}, ${engine.dtype}, ${String(engine.threads)} threads)`);
}
