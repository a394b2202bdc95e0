/**
 * A RoPE method on the command line: its parameters as options, and the geometry they apply to.
 *
 * `--base` is the rope base of the checkpoint (theta), as config.json calls it; the explicit base of ntk is `--new-base`.
 */
import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { messageOf, RopesweepError, whyUnreadable } from '../domain/errors.js';
import { wholeNumber } from '../infra/commandLine.js';
import { METHOD_NAMES, methodSchema, type Method, type RopeGeometry } from '../domain/method.js';
import type { ConfigFile } from '../model/config.js';
import { withCustomTable } from '../rope/customTable.js';
import { resolveMethod } from '../rope/method.js';
import { replacedNotice, type MethodAt } from '../rope/replaced.js';

type KeysOf<Union> = Union extends unknown ? keyof Union : never;
type Parameter = Exclude<KeysOf<Method>, 'name'>;

/** What commander makes of the options that every method shares; the parameters stand beside them, by OPTIONS. */
export interface MethodOptions {
  readonly base?: number;
  readonly originalContext?: number;
}

const number = (flag: string) => (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new RopesweepError('OPTION_INVALID', { where: flag, what: `${JSON.stringify(text)} is not a number` });
  return value;
};

/** `1,1.5,2`, or a JSON file with the list. */
const numbers = (flag: string) => (text: string): number[] =>
  /^[\d\s.,eE+-]+$/.test(text) ? text.split(',').map(number(flag)) : numbersInFile(flag, text);

const option = (flag: string, value: string, description: string, parse: (flag: string) => (text: string) => unknown): Option =>
  new Option(`${flag} <${value}>`, description).argParser(parse(flag));

/** Every parameter of every method (the compiler names a missing one) and the option that gives it. */
const OPTIONS: Readonly<Record<Parameter, Option>> = {
  factor: option('--factor', 's', 'how many times longer the context becomes (all but none and custom)', number),
  targetContextTokens: option('--target-context', 'tokens', 'what the factor aims at, in its place', wholeNumber),
  base: option('--new-base', 'theta', 'ntk: the new rope base itself, in place of a factor', number),
  betaFast: option('--beta-fast', 'rotations', 'yarn: pairs that turn more often over L0 are left alone (default: 32)', number),
  betaSlow: option('--beta-slow', 'rotations', 'yarn: pairs that turn less often are interpolated (default: 1)', number),
  truncate: new Option('--no-truncate', 'yarn: do not round the bounds of the ramp to whole pairs').default(undefined, 'rounded'),
  attentionFactor: option('--attention-factor', 'a', 'yarn, longrope, custom: multiplies cos and sin (default: from the factor; custom: 1)', number),
  mscale: option('--mscale', 'm', 'yarn: numerator of the attention factor; counts with --mscale-all-dim only', number),
  mscaleAllDim: option('--mscale-all-dim', 'm', 'yarn: denominator of the attention factor', number),
  shortFactor: option('--short-factor', 'list', 'longrope: divisors up to L0, one a pair: 1,1.02,... or a JSON file', numbers),
  longFactor: option('--long-factor', 'list', 'longrope: divisors beyond L0, one a pair: 1,1.7,... or a JSON file', numbers),
  lowFreqFactor: option('--low-freq-factor', 'rotations', 'llama3: pairs that turn less often over L0 are divided by the factor (default: 1)', number),
  highFreqFactor: option('--high-freq-factor', 'rotations', 'llama3: pairs that turn more often are left alone (default: 4)', number),
  inverseFrequencies: option('--inverse-frequencies', 'list', 'custom: radians per token, one a pair: 1,0.5,... or a JSON file', numbers),
  file: new Option('--table <file>', 'custom: JSON file with inverseFrequencies and attentionFactor, as --json prints them'),
  label: new Option('--label <text>', "custom: how it is called (default: the file's name)"),
};

/** Declares every parameter of every method. */
export function addMethodOptions(command: Command): Command {
  command.addOption(option('--base', 'theta', "rope base of the checkpoint, not ntk's new one", number));
  command.addOption(option('--original-context', 'tokens', 'trained context L0', wholeNumber));
  for (const one of Object.values(OPTIONS)) command.addOption(one);
  return command;
}

const isParameter = (name: string): name is Parameter => Object.hasOwn(OPTIONS, name);
/** The option that gives a parameter: `targetContextTokens` -> `--target-context`. */
export const flagOf = (parameter: string): string => (isParameter(parameter) ? (OPTIONS[parameter].long ?? parameter) : parameter);

/** `none, pi, ... or custom` */
export const METHOD_LIST = `${METHOD_NAMES.slice(0, -1).join(', ')} or ${METHOD_NAMES.at(-1) ?? ''}`;

/** One line a method for --help: its name, what it is, the options that it takes. */
export function methodHelp(): string {
  const width = Math.max(...METHOD_NAMES.map((name) => name.length));
  const lines = methodSchema.options.flatMap(({ shape, description = '' }) => {
    const flags = Object.keys(shape).filter(isParameter).map(flagOf);
    return [`  ${shape.name.value.padEnd(width)}  ${description}`, ...(flags.length === 0 ? [] : [`  ${' '.repeat(width)}  ${flags.join(' ')}`])];
  });
  return ['Methods, and the options that each takes:', ...lines].join('\n');
}

/**
 * The method that the command line names, resolved: its own spelling of a factor, nothing that contradicts.
 * @param own what holds where no name is given
 * @throws RopesweepError METHOD_INVALID, OPTION_INVALID
 */
export function readMethod(name: string | undefined, options: MethodOptions, geometry: RopeGeometry, own: Method): Method {
  const values = new Map<string, unknown>(Object.entries(options));
  const given = Object.entries(OPTIONS)
    .map(([parameter, option]) => [parameter, values.get(option.attributeName())] as const)
    // commander makes true the default of a negatable option: only --no-truncate is a choice
    .filter(([, value]) => value !== undefined && value !== true);
  if (name === undefined) {
    if (given.length === 0) return resolveMethod(own, geometry);
    throw new RopesweepError('OPTION_INVALID', {
      where: given.map(([key]) => flagOf(key)).join(', '),
      what: 'parameters of a method are given, but no method',
      mend: `Name the method: ${METHOD_LIST}.`,
    });
  }
  if (!(METHOD_NAMES as readonly string[]).includes(name)) {
    throw new RopesweepError('METHOD_INVALID', { where: name, what: `this is not one of the methods ${METHOD_NAMES.join(', ')}`, mend: 'See ropesweep rope --help.' });
  }
  const parsed = methodSchema.safeParse({ name, ...Object.fromEntries(given) });
  if (parsed.success) return resolveMethod(withTableRead(parsed.data), geometry);
  throw new RopesweepError(
    'METHOD_INVALID',
    parsed.error.issues.map((issue) =>
      issue.code === 'unrecognized_keys'
        ? { where: issue.keys.map(flagOf).join(', '), what: `${name} has no such parameter` }
        : { where: flagOf(String(issue.path[0])), what: issue.code === 'invalid_type' && !given.some(([key]) => key === issue.path[0]) ? `${name} needs it` : issue.message },
    ),
  );
}

/** Says on standard error, where it does not mix with results, how a checkpoint's own settings were read and what replaces them. */
export function tellSettings({ ropeSettings, geometry, ropeWarnings }: Pick<ConfigFile, 'ropeSettings' | 'geometry' | 'ropeWarnings'>, chosen: MethodAt): void {
  for (const { where, what, mend } of ropeWarnings) console.error(`note: ${where}: ${what}${mend === undefined ? '' : `. ${mend}`}`);
  const replaced = replacedNotice({ method: ropeSettings, geometry }, chosen);
  if (replaced !== undefined) console.error(`note: ${replaced}`);
}

const withTableRead = (method: Method): Method =>
  method.name === 'custom' && method.file !== undefined ? withCustomTable(method, readText('--table', method.file)) : method;

function numbersInFile(flag: string, file: string): number[] {
  const refuse = (what: string): RopesweepError =>
    new RopesweepError('OPTION_INVALID', { where: flag, what: `${file}: ${what}`, mend: 'Give numbers with commas between, or a JSON file with a list of numbers.' });
  const text = readText(flag, file);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw refuse(`it is not JSON: ${messageOf(cause)}`);
  }
  if (Array.isArray(json) && json.every((value) => typeof value === 'number')) return json;
  throw refuse('it is not a list of numbers');
}

function readText(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new RopesweepError('OPTION_INVALID', { where: flag, what: `${file}: ${whyUnreadable(cause)}` }, { cause });
  }
}
