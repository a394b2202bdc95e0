/**
 * Axes of a sweep file: lists of values, in which ranges stand for the values they run through.
 *
 *   {from: 1, to: 10}                  whole numbers one by one
 *   {from: 0, to: 1, step: 0.25}       evenly, a step apart
 *   {from: 256, to: 4096, factor: 2}   geometrically
 *   {from: 0, to: 1, count: 11}        evenly, so many values
 *
 * Both ends belong to a range. Values are computed on decimals, not on doubles, so that they are the numbers one would
 * have written (0.1, not 0.1 + 2e-17), on every machine.
 */
import { z } from 'zod';

const end = (which: string) => z.number().describe(`The ${which} value.`);
const rangeSchema = z
  .strictObject({
    from: end('first'),
    to: end('last'),
    step: z.number().positive().optional().describe('Distance of neighbours; 1 for whole numbers if nothing is said.'),
    factor: z.number().gt(1).optional().describe('Quotient of neighbours.'),
    count: z.int().min(2).optional().describe('Number of values, evenly spaced.'),
  })
  .meta({ id: 'range', description: 'A range, both ends included; one of step, factor and count.' });

/** `[128, {from: 256, to: 4096, factor: 2}]`, or a range alone. */
export const axisSchema = <Value extends z.ZodType>(value: Value) => z.union([z.array(z.union([value, rangeSchema])).min(1), rangeSchema]);

export type Range = z.infer<typeof rangeSchema>;
export type Axis<Value> = readonly (Value | Range)[] | Range;

/** A range may stand for as many values; a geometric one for fewer, whose values outgrow every number. */
const MAXIMUM_VALUES = 1_000_000;
const MAXIMUM_FACTORS = 1_000;

const isRange = (entry: unknown): entry is Range => typeof entry === 'object' && entry !== null;
const entriesOf = <Value>(axis: Axis<Value>): readonly (Value | Range)[] => (isRange(axis) && !Array.isArray(axis) ? [axis] : (axis as readonly (Value | Range)[]));

/** Every value of an axis, in the order of the file. Its ranges have no {@link rangeProblem}. */
export function axisValues<Value>(axis: Axis<Value>): readonly Value[] {
  let values = known.get(axis);
  if (values === undefined) known.set(axis, (values = entriesOf(axis).flatMap((entry): readonly unknown[] => (isRange(entry) ? rangeValues(entry) : [entry]))));
  return values as readonly Value[];
}

/** An axis may be long, and is asked for again and again. */
const known = new WeakMap<object, readonly unknown[]>();

/** What may be written as one value or as an axis. */
export type OneOrMore<Value> = Value | Axis<Value>;

export const valuesOf = <Value extends number | string | null>(values: OneOrMore<Value>): readonly Value[] =>
  typeof values === 'object' && values !== null ? axisValues(values) : [values];

/** Where an axis has a value: the path inside of it, or null. */
export function placeInAxis<Value>(axis: Axis<Value>, value: Value): readonly number[] | null {
  const has = (entry: Value | Range): boolean => (isRange(entry) ? rangeValues(entry).includes(value as number) : entry === value);
  const position = entriesOf(axis).findIndex(has);
  if (position < 0) return null;
  return Array.isArray(axis) ? [position] : [];
}

export interface AxisRules {
  /** Whole numbers, one by one where a range says nothing else. */
  readonly whole: boolean;
  readonly least: number;
  readonly most: number;
}

/** Why a range stands for no values, or null. */
export function rangeProblem(range: Range, { whole, least, most }: AxisRules): { readonly what: string; readonly mend: string } | null {
  const { from, to } = range;
  const ways = (['step', 'factor', 'count'] as const).filter((way) => range[way] !== undefined);
  if (ways.length > 1) return { what: `it has ${ways.join(' and ')}`, mend: `Leave all but one of them out.` };
  if (ways.length === 0 && !whole) return { what: 'it does not say which values it has', mend: 'Give step or count: {from: 0, to: 1, count: 11}.' };
  if (to <= from) return { what: `it does not reach ${to} from ${from}`, mend: 'Let to be larger than from; write a single value as it is.' };
  if (range.factor !== undefined && from <= 0) return { what: `factors lead nowhere from ${from}`, mend: 'Let from be larger than 0.' };
  const maximum = range.factor === undefined ? MAXIMUM_VALUES : MAXIMUM_FACTORS;
  if (countOf(range) > maximum) return { what: `it has ${Math.floor(countOf(range))} values, more than ${maximum}`, mend: 'Let neighbours lie further apart.' };
  const values = rangeValues(range);
  const odd = whole ? values.find((value) => !Number.isSafeInteger(value)) : undefined;
  if (odd !== undefined) return { what: `its value ${odd} is not a whole number`, mend: 'Let from, to and step, factor or count give whole numbers.' };
  const last = values.at(-1) ?? from;
  if (last !== to) {
    const next = valueAt(range, values.length);
    return { what: `it does not reach ${to}: after ${last} comes ${next}`, mend: `Let to be ${last} or ${next}.` };
  }
  const outside = [from, to].find((value) => value < least || value > most);
  return outside === undefined ? null : { what: `${outside} is too ${outside < least ? 'small' : 'large'}`, mend: outside < least ? `It must be >= ${least}.` : `It must be <= ${most}.` };
}

function countOf({ from, to, step = 1, factor, count }: Range): number {
  if (count !== undefined) return count;
  return factor === undefined ? (to - from) / step + 1 : Math.log(to / from) / Math.log(factor) + 1;
}

function rangeValues(range: Range): number[] {
  const { from, to, step = 1, factor, count } = range;
  // Whole numbers need no decimals to be exact.
  if (factor === undefined && count === undefined && Number.isInteger(from) && Number.isInteger(step)) return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);
  if (count !== undefined) return Array.from({ length: count }, (_, index) => valueAt(range, index));
  const values: number[] = [];
  for (let value = from; value <= to; value = valueAt(range, values.length)) values.push(value);
  return values;
}

/** A number as written, n / d: 0.25 is 25 / 100. */
interface Decimal {
  readonly n: bigint;
  readonly d: bigint;
}

function decimal(value: number): Decimal {
  const [digits = '0', exponent = '0'] = value.toString().split('e');
  const [integer = '0', fraction = ''] = digits.split('.');
  const shift = fraction.length - Number(exponent);
  const n = BigInt(integer + fraction);
  return shift > 0 ? { n, d: 10n ** BigInt(shift) } : { n: n * 10n ** BigInt(-shift), d: 1n };
}

/** The value of a range at an index, which may lie beyond its end. */
function valueAt({ from, to, step = 1, factor, count }: Range, index: number): number {
  const [first, position] = [decimal(from), BigInt(index)];
  if (factor !== undefined) {
    const { n, d } = decimal(factor);
    return quotient({ n: first.n * n ** position, d: first.d * d ** position });
  }
  const last = decimal(to);
  const distance = count === undefined ? decimal(step) : { n: last.n * first.d - first.n * last.d, d: last.d * first.d * BigInt(count - 1) };
  return quotient({ n: first.n * distance.d + position * distance.n * first.d, d: first.d * distance.d });
}

/** In lowest terms both are small numbers, so that their quotient is the double next to n / d. */
function quotient({ n, d }: Decimal): number {
  const divisor = greatestCommonDivisor(n < 0n ? -n : n, d);
  const [numerator, denominator] = [n / divisor, d / divisor];
  return Number(numerator) / Number(denominator);
}

const greatestCommonDivisor = (a: bigint, b: bigint): bigint => (b === 0n ? a : greatestCommonDivisor(b, a % b));
