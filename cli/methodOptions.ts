/**
 * A RoPE method on the command line: its parameters as options, and the geometry they apply to.
 *
 * `--base` is the rope base of the checkpoint (theta), as config.json calls it; the explicit base of ntk is `--new-base`.
 */
import { Option, type Command } from 'commander';
import { RopesweepError } from '../domain/errors.js';
import { wholeNumber } from '../infra/commandLine.js';
import { methodSchema, type Method, type RopeGeometry } from '../domain/method.js';
import { resolveMethod } from '../rope/method.js';

type KeysOf<Union> = Union extends unknown ? keyof Union : never;
type Parameter = Exclude<KeysOf<Method>, 'name'>;

/** Every parameter of every method (the compiler names a missing one) and the option that gives it. */
const OPTIONS = {
  factor: 'factor',
  targetContextTokens: 'targetContext',
  base: 'newBase',
  betaFast: 'betaFast',
  betaSlow: 'betaSlow',
  truncate: 'truncate',
  attentionFactor: 'attentionFactor',
  mscale: 'mscale',
  mscaleAllDim: 'mscaleAllDim',
} as const satisfies Record<Parameter, string>;
type ParameterOption = (typeof OPTIONS)[Parameter];

export interface MethodOptions extends Partial<Record<ParameterOption, number | boolean>> {
  readonly base?: number;
  readonly originalContext?: number;
}

const number = (flag: string) => (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new RopesweepError('OPTION_INVALID', { where: flag, what: `${JSON.stringify(text)} is not a number` });
  return value;
};

const option = (flag: string, value: string, description: string, parse = number(flag)): Option =>
  new Option(`${flag} <${value}>`, description).argParser(parse);

/** Declares every parameter of every method. */
export function addMethodOptions(command: Command): Command {
  const options = [
    option('--base', 'theta', "rope base of the checkpoint, not ntk's new one"),
    option('--original-context', 'tokens', 'trained context L0', wholeNumber('--original-context')),
    option('--factor', 's', 'pi, ntk, yarn: how many times longer the context becomes'),
    option('--target-context', 'tokens', 'pi, ntk, yarn: what the factor aims at, in its place', wholeNumber('--target-context')),
    option('--new-base', 'theta', 'ntk: the new rope base itself, in place of a factor'),
    option('--beta-fast', 'rotations', 'yarn: pairs that turn more often over L0 are left alone (default: 32)'),
    option('--beta-slow', 'rotations', 'yarn: pairs that turn less often are interpolated (default: 1)'),
    new Option('--no-truncate', 'yarn: do not round the bounds of the ramp to whole pairs').default(undefined, 'rounded'),
    option('--attention-factor', 'a', 'yarn: multiplies cos and sin (default: from the factor)'),
    option('--mscale', 'm', 'yarn: numerator of the attention factor; counts with --mscale-all-dim only'),
    option('--mscale-all-dim', 'm', 'yarn: denominator of the attention factor'),
  ];
  for (const one of options) command.addOption(one);
  return command;
}

const flagOf = (parameter: string): string => {
  const name = OPTIONS[parameter as Parameter] as string | undefined ?? parameter;
  return name === 'truncate' ? '--no-truncate' : `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
};

/**
 * The method that the command line names, resolved: its own spelling of a factor, nothing that contradicts.
 * @param own what holds where no name is given
 * @throws RopesweepError METHOD_INVALID, OPTION_INVALID
 */
export function readMethod(name: string | undefined, options: MethodOptions, geometry: RopeGeometry, own: Method): Method {
  const given = Object.entries(OPTIONS)
    .map(([parameter, option]) => [parameter, options[option]] as const)
    // commander makes true the default of a negatable option: only --no-truncate is a choice
    .filter(([, value]) => value !== undefined && value !== true);
  if (name === undefined) {
    if (given.length === 0) return resolveMethod(own, geometry);
    throw new RopesweepError('OPTION_INVALID', {
      where: given.map(([key]) => flagOf(key)).join(', '),
      what: 'parameters of a method are given, but no method',
      mend: 'Name the method: none, pi, ntk or yarn.',
    });
  }
  const names = methodSchema.options.map((each) => each.shape.name.value);
  if (!(names as string[]).includes(name)) {
    throw new RopesweepError('METHOD_INVALID', { where: name, what: `this is not one of the methods ${names.join(', ')}`, mend: 'See ropesweep rope --help.' });
  }
  const parsed = methodSchema.safeParse({ name, ...Object.fromEntries(given) });
  if (parsed.success) return resolveMethod(parsed.data, geometry);
  throw new RopesweepError(
    'METHOD_INVALID',
    parsed.error.issues.map((issue) =>
      issue.code === 'unrecognized_keys'
        ? { where: issue.keys.map(flagOf).join(', '), what: `${name} has no such parameter` }
        : { where: flagOf(issue.path.join('.')), what: issue.message },
    ),
  );
}
