/**
 * Conditions over the points of a sweep, written in CEL (Common Expression Language): `contextTokens <= 8 * originalContextTokens`.
 *
 * Numbers are doubles whether they are written 1 or 1.0, and any variable can be compared with null. Names and types are
 * checked when a condition is compiled, before any point is looked at.
 */
import { Environment, EvaluationError, ParseError, type ASTNode, type ParseResult, type TypeCheckResult } from '@marcbachmann/cel-js';
import { closestMatch } from 'leven';
import { RopesweepError, type ErrorCode, type Problem } from '../domain/errors.js';

/** What a variable holds; one with a question mark may be null. */
export type VariableType = 'number' | 'number?' | 'text' | 'text?';
export type Variables = Readonly<Record<string, VariableType>>;
export type VariableValues = Readonly<Record<string, number | string | null>>;

export interface Condition {
  readonly text: string;
  /** Names of the variables it reads. */
  readonly reads: ReadonlySet<string>;
  /** @throws RopesweepError where it computes with a null */
  holds(values: VariableValues): boolean;
}

/** What conditions of a sweep file may read. depth, seed and document are null in cells of tasks that have none. */
export const POINT_VARIABLES = {
  model: 'text',
  method: 'text',
  methodLabel: 'text',
  factor: 'number?',
  continualPretrainContextTokens: 'number?',
  originalContextTokens: 'number',
  contextTokens: 'number',
  task: 'number',
  taskKind: 'text',
  depth: 'number?',
  seed: 'number?',
  document: 'text?',
} as const satisfies Variables;

/** @returns what is wrong with the condition, or null */
export function conditionProblem(text: string, variables: Variables): Omit<Problem, 'where'> | null {
  const { valid, type, error } = checked(text, variables);
  if (!valid && error !== undefined) return { what: `${plain(error.summary)}${placeOf(text, error)}`, mend: mendOf(error, text, variables) };
  if (type === 'bool') return null;
  return { what: `it is ${type === undefined ? 'no condition' : NAMES[type] ?? type}, not true or false`, mend: 'Compare it with something: contextTokens <= 4096.' };
}

/**
 * @param where the place of the condition, for messages: an option, or a path in the sweep file
 * @param code of what is thrown: OPTION_INVALID for an option, SPEC_INVALID for a sweep file
 * @throws RopesweepError for a wrong name, type or syntax
 */
export function compileCondition(text: string, variables: Variables, where: string, code: ErrorCode): Condition {
  const problem = conditionProblem(text, variables);
  if (problem !== null) throw new RopesweepError(code, { where, ...problem });
  const run = parsed(runningEnvironment(variables), text);
  const reads = new Set<string>();
  eachNode(run.ast, ({ op, args }) => {
    if (op === 'id' && args in variables) reads.add(args);
  });
  return {
    text,
    reads,
    holds(values) {
      try {
        return run(values) === true;
      } catch (cause) {
        if (!(cause instanceof EvaluationError)) throw cause;
        throw new RopesweepError(code, { where, ...undecided(text, cause, reads, values) }, { cause });
      }
    },
  };
}

/** CEL keeps whole numbers and fractions apart and has no null among either; a sweep file need not. */
const LENIENT = new Environment({ homogeneousAggregateLiterals: false })
  .registerOperator('double % double: double', (a: number, b: number) => a % b)
  .registerOperator('double == int', (a: number, b: bigint) => a === Number(b))
  .registerOperator('double == null', (a, b) => a === b)
  .registerOperator('string == null', (a, b) => a === b);

/** Whole numbers as doubles, but for those that a function is called with: some take nothing else. */
function parsed(environment: Environment, text: string): ParseResult {
  const result = environment.parse(text);
  eachNode(result.ast, (node, isArgument) => {
    if (node.op === 'value' && typeof node.args === 'bigint' && !isArgument) (node as { args: unknown }).args = Number(node.args);
  });
  return result;
}

function eachNode(part: unknown, visit: (node: ASTNode, isArgument: boolean) => void, isArgument = false): void {
  if (Array.isArray(part)) for (const inner of part as unknown[]) eachNode(inner, visit, isArgument);
  else if (typeof part === 'object' && part !== null && 'op' in part && 'args' in part) {
    const node = part as ASTNode;
    visit(node, isArgument);
    eachNode(node.args, visit, node.op === 'call' || node.op === 'rcall');
  }
}

function checked(text: string, variables: Variables): TypeCheckResult {
  try {
    return parsed(checkingEnvironment(variables), text).check();
  } catch (error) {
    if (error instanceof ParseError) return { valid: false, error };
    throw error;
  }
}

function checkingEnvironment(variables: Variables): Environment {
  const environment = LENIENT.clone();
  for (const [name, type] of Object.entries(variables)) environment.registerVariable(name, type.startsWith('number') ? 'double' : 'string');
  return environment;
}

/** Types were checked: values may be null here. */
function runningEnvironment(variables: Variables): Environment {
  const environment = LENIENT.clone();
  for (const name of Object.keys(variables)) environment.registerVariable(name, 'dyn');
  return environment;
}

/** CEL's words in ours. */
const plain = (summary: string): string =>
  summary
    .replace('no such overload:', 'these do not go together:')
    .replace('Unexpected token: EOF', 'it ends too early')
    .replace(/dyn<(\w+)>/g, '$1')
    .replace(/\b(double|int)\b/g, 'number')
    .replace(/\bstring\b/g, 'text');

type CheckError = NonNullable<TypeCheckResult['error']>;

/** How CEL's types are called in messages. */
const NAMES: Readonly<Record<string, string>> = { double: 'a number', int: 'a number', string: 'text', null: 'null' };

const placeOf = (text: string, { range }: CheckError): string => {
  const part = range === undefined ? '' : text.slice(range.start, range.end).trim();
  return part === '' || part === text ? '' : ` in "${part}"`;
};

function mendOf(error: CheckError, text: string, variables: Variables): string {
  const known = Object.keys(variables);
  if (error.code === 'unknown_variable') {
    const written = error.range === undefined ? '' : text.slice(error.range.start, error.range.end);
    const close = closestMatch(written, known, { maxDistance: Math.max(2, Math.floor(written.length / 3)) });
    return `${close === undefined ? '' : `Did you mean ${close}? `}Known: ${known.join(', ')}. Text stands in quotes.`;
  }
  if (error.name === 'ParseError') return 'Write it as in contextTokens <= 4096 && method != "none".';
  const types = known.filter((name) => text.includes(name)).map((name) => `${name} is ${variables[name]?.startsWith('number') === true ? 'a number' : 'text'}`);
  return `${types.join(', ')}${types.length > 0 ? '; t' : 'T'}ext stands in quotes.`;
}

function undecided(text: string, error: EvaluationError, reads: ReadonlySet<string>, values: VariableValues): Omit<Problem, 'where'> {
  const empty = [...reads].filter((name) => values[name] === null);
  return {
    what: `it cannot be decided at ${[...reads].map((name) => `${name} ${JSON.stringify(values[name])}`).join(', ')}: ${plain(error.summary)}`,
    mend: empty.length > 0 ? `Say what holds for null: ${empty.map((name) => `${name} == null`).join(' || ')} || (${text}).` : 'Write it so that it holds a value everywhere.',
  };
}
