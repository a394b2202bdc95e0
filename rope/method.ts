/**
 * The registry of RoPE methods: name -> pure functions. A new method is one file, one line here and one schema in
 * domain/method.ts; the compiler lists what is missing.
 */
import { RopesweepError } from '../domain/errors.js';
import type { Method, MethodName, RopeGeometry, RopeTable } from '../domain/method.js';
import { custom } from './custom.js';
import type { MethodDefinition } from './definition.js';
import { dynamicNtk } from './dynamicNtk.js';
import { llama3 } from './llama3.js';
import { longrope } from './longrope.js';
import { none } from './none.js';
import { ntk } from './ntk.js';
import { pi } from './pi.js';
import { plainInverseFrequencies } from './plain.js';
import { yarn } from './yarn.js';

const REGISTRY: { readonly [Name in MethodName]: MethodDefinition<Name> } = {
  none,
  pi,
  ntk,
  'dynamic-ntk': dynamicNtk,
  yarn,
  longrope,
  llama3,
  custom,
};

/** The definition of a method, with its name's type carried along: TypeScript cannot see that REGISTRY[name] fits. */
const definitionOf = (method: Method): MethodDefinition<MethodName> => REGISTRY[method.name] as unknown as MethodDefinition<MethodName>;

/** What tells of a method without its parameters. */
export const aboutMethod = (name: MethodName): Pick<MethodDefinition<MethodName>, 'tableDependsOnLength' | 'source'> => REGISTRY[name];

/**
 * The method in its one canonical spelling (a factor in place of a target context): equal methods become equal values.
 * @throws RopesweepError METHOD_INVALID, with both numbers where factor and targetContextTokens disagree
 */
export function resolveMethod(method: Method, geometry: RopeGeometry): Method {
  const { rotarySize, base, originalContextTokens } = geometry;
  const problems = [
    ...(Number.isInteger(rotarySize) && rotarySize >= 2 && rotarySize % 2 === 0
      ? []
      : [{ where: 'rotarySize', what: `${rotarySize} is not an even number of dimensions` }]),
    ...(base > 1 && Number.isFinite(base) ? [] : [{ where: 'base', what: `a rope base of ${base} gives no falling frequencies` }]),
    ...(Number.isInteger(originalContextTokens) && originalContextTokens >= 1
      ? []
      : [{ where: 'originalContextTokens', what: `${originalContextTokens} is not a number of tokens` }]),
  ];
  if (problems.length > 0) throw new RopesweepError('METHOD_INVALID', problems);
  return definitionOf(method).resolve(method, geometry);
}

/** Beyond this (and its inverse) a parameter is a slip, and phases and scales leave the numbers that a double can hold. */
const LEAST_FREQUENCY = 1e-30;

/**
 * Inverse frequencies [rotarySize / 2] (radians per token) and attention factor of a method, in float64.
 * @param lengthTokens sequence length; counts only where {@link tableDependsOnLength}
 * @throws RopesweepError METHOD_INVALID
 */
export function ropeTable(method: Method, geometry: RopeGeometry, lengthTokens: number): RopeTable {
  const table = definitionOf(method).table(resolveMethod(method, geometry), geometry, lengthTokens);
  const lost = table.inverseFrequencies.findIndex((frequency) => !(frequency >= LEAST_FREQUENCY && frequency <= 1 / LEAST_FREQUENCY));
  if (lost === -1 && Number.isFinite(table.attentionFactor)) return table;
  throw new RopesweepError('METHOD_INVALID', {
    where: methodLabel(method),
    what:
      lost === -1
        ? `its attention factor is ${table.attentionFactor}`
        : `pair ${lost} would turn by ${String(table.inverseFrequencies[lost])} radians per token`,
    mend: 'Give parameters of a size that trained models have.',
  });
}

/** Whether cached keys of one sequence length are wrong at another. */
export const tableDependsOnLength = (method: Method): boolean => definitionOf(method).tableDependsOnLength;

/** As tables and figures print it: `none`, `pi 8`, `ntk base 1000000`, `yarn 8`. */
export const methodLabel = (method: Method): string => definitionOf(method).label(method);

/** Base inverse frequency / method inverse frequency at the slowest pair j = d/2 - 1: makes methods comparable. */
export function effectiveScale(table: RopeTable, geometry: RopeGeometry): number {
  const plain = plainInverseFrequencies(geometry.rotarySize, geometry.base).at(-1) ?? NaN;
  return plain / (table.inverseFrequencies.at(-1) ?? NaN);
}

/** What multiplies attention logits: queries and keys both carry the attention factor. */
export const logitScale = ({ attentionFactor }: RopeTable): number => attentionFactor ** 2;
