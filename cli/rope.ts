/**
 * `ropesweep rope`: the table of a method, in float64.
 */
import Table from 'cli-table3';
import { Command } from 'commander';
import { RopesweepError } from '../domain/errors.js';
import type { MethodName, RopeGeometry } from '../domain/method.js';
import { readConfig } from '../model/config.js';
import { isGgufPath, readGguf } from '../model/gguf.js';
import { effectiveScale, logitScale, methodLabel, ropeTable, tableDependsOnLength } from '../rope/method.js';
import { LLAMA_2 } from '../rope/knownTables.js';
import { plainInverseFrequencies } from '../rope/plain.js';
import { wholeNumber } from '../infra/commandLine.js';
import { addMethodOptions, METHOD_LIST, methodHelp, readMethod, tellSettings, type MethodOptions } from './methodOptions.js';
import { printJson, printLine } from './output.js';

interface RopeOptions extends MethodOptions {
  readonly rotarySize?: number;
  readonly config?: string;
  readonly length?: number;
  readonly json?: boolean;
}

/** What `ropesweep rope --json` prints; frequencies in radians per token, wavelengths in tokens. */
export interface RopeReport {
  readonly method: MethodName;
  /** As tables and figures call it. */
  readonly label: string;
  /** Parameters of the method, defaults filled in and a target context turned into a factor. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly rotarySize: number;
  /** Rope base of the checkpoint. */
  readonly base: number;
  readonly originalContextTokens: number;
  readonly inverseFrequencies: readonly number[];
  readonly attentionFactor: number;
  readonly wavelengths: readonly number[];
  /** Sequence length the table is for, in tokens; null where the table does not depend on it. */
  readonly length: number | null;
  readonly effectiveScale: number;
  /** What the attention factor makes of attention logits: its square. */
  readonly logitScale: number;
}

export function ropeCommand(): Command {
  const command = new Command('rope')
    .description('Print the inverse frequencies and the attention factor of a RoPE method.')
    .argument('[method]', `${METHOD_LIST} (default: none, or what --config says)`)
    .option('--rotary-size <d>', `dimensions of a head that rotate (default: ${String(LLAMA_2.rotarySize)})`, wholeNumber('--rotary-size', 2))
    .option('--config <path>', 'take rotary size, base and trained context from this folder, config.json or .gguf file')
    .option('--length <tokens>', 'sequence length, for dynamic-ntk and longrope, whose tables depend on it', wholeNumber('--length'))
    .option('--json', 'print one JSON object');
  return addMethodOptions(command)
    .addHelpText(
      'after',
      `
${methodHelp()}

Without --config the defaults are LLaMA-2's: rotary size 128, base 10000, trained context 4096.
--base and --original-context win over the config. A factor and a target context that disagree are an error.

Examples:
  ropesweep rope yarn --factor 16
  ropesweep rope pi --target-context 65536 --json
  ropesweep rope ntk --new-base 1000000
  ropesweep rope dynamic-ntk --factor 2 --length 16384
  ropesweep rope custom --table my-table.json --rotary-size 64
  ropesweep rope --config models/starter/base`,
    )
    .action(async (method: string | undefined, options: RopeOptions) => {
      const report = await ropeReport(method, options);
      if (options.json === true) printJson(report);
      else printReport(report);
    });
}

/** @throws RopesweepError METHOD_INVALID, OPTION_INVALID, and those of reading config.json */
export async function ropeReport(name: string | undefined, options: RopeOptions): Promise<RopeReport> {
  if (options.config !== undefined && options.rotarySize !== undefined) {
    throw new RopesweepError('OPTION_INVALID', { where: '--rotary-size', what: 'the rotary size is that of --config', mend: 'Leave one of the two out.' });
  }
  const file = options.config === undefined ? null : await (isGgufPath(options.config) ? readGguf(options.config) : readConfig(options.config));
  const known = file?.geometry ?? LLAMA_2;
  const geometry: RopeGeometry = {
    rotarySize: options.rotarySize ?? known.rotarySize,
    base: options.base ?? known.base,
    originalContextTokens: options.originalContext ?? known.originalContextTokens,
  };
  const method = readMethod(name, options, geometry, file?.ropeSettings ?? { name: 'none' });
  if (tableDependsOnLength(method) && options.length === undefined) {
    throw new RopesweepError('OPTION_INVALID', { where: '--length', what: `the table of ${method.name} depends on the sequence length`, mend: 'Give --length.' });
  }
  if (file !== null) tellSettings(file, { method, geometry });
  const table = ropeTable(method, geometry, options.length ?? geometry.originalContextTokens);
  const { name: methodName, ...parameters } = method;
  return {
    method: methodName,
    label: methodLabel(method),
    parameters,
    ...geometry,
    inverseFrequencies: table.inverseFrequencies,
    attentionFactor: table.attentionFactor,
    wavelengths: table.inverseFrequencies.map((frequency) => (2 * Math.PI) / frequency),
    length: tableDependsOnLength(method) ? (options.length ?? null) : null,
    effectiveScale: effectiveScale(table, geometry),
    logitScale: logitScale(table),
  };
}

function printReport(report: RopeReport): void {
  const { rotarySize, base, originalContextTokens, length } = report;
  const at = length === null ? '' : `, at a sequence of ${String(length)} tokens`;
  printLine(`${report.label}: rotary size ${String(rotarySize)}, base ${String(base)}, trained context ${String(originalContextTokens)} tokens${at}`);
  printLine(
    `effective scale ${report.effectiveScale.toPrecision(6)}, attention factor ${report.attentionFactor.toPrecision(6)}, logit scale ${report.logitScale.toPrecision(6)}`,
  );
  const table = new Table({
    head: ['pair', 'inverse frequency', 'wavelength (tokens)', 'plain / method'],
    style: { head: [], border: [] },
    colAligns: ['right', 'right', 'right', 'right'],
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  const plain = plainInverseFrequencies(rotarySize, base);
  report.inverseFrequencies.forEach((frequency, pair) => {
    table.push([pair, frequency.toPrecision(8), (report.wavelengths[pair] ?? NaN).toPrecision(6), ((plain[pair] ?? NaN) / frequency).toPrecision(6)]);
  });
  printLine(table.toString());
}
