/**
 * What is checked of tasks once they are resolved.
 */
import { placeInAxis } from '../../domain/axis.js';
import type { DeviceClass } from '../../domain/device.js';
import { groupBy } from '../../domain/groupBy.js';
import { digest } from '../../domain/identity.js';
import type { Method } from '../../domain/method.js';
import type { SweepSpec } from '../../domain/spec.js';
import type { ResolvedHaystack, ResolvedTask, TaskKind } from '../../domain/task.js';
import type { TaskSpec, TaskSpecOf } from '../../domain/taskSpec.js';
import { needleTaskProblems } from '../../prompts/checks.js';
import { haystackIdRanges } from '../../prompts/haystack.js';
import { overlap, type IdRange } from '../../prompts/idRange.js';
import { minimumContextTokens } from '../../prompts/layout.js';
import { needleIdRanges } from '../../prompts/needle.js';
import type { PromptTokenizer } from '../../prompts/tokenizer.js';
import { methodLabel, tableDependsOnLength } from '../../rope/method.js';
import { armLabel } from '../arms.js';
import type { Findings } from '../findings.js';
import type { Places, SpecPath } from '../places.js';
import { seedPool } from '../refineDesign.js';
import type { ArmPoint, GridTask, Selection } from '../selection.js';
import type { ArmOfGrid } from '../survey.js';
import { plannerOf, type PlannedTask, type PlannedTaskOf } from './registry.js';

/** Context lengths that are too short for the prompts of a needle task. @returns whether there are none */
export function checkContexts(
  spec: SweepSpec,
  task: TaskSpecOf<'needle'>,
  index: number,
  lengths: readonly number[],
  tokenizer: PromptTokenizer | null,
  at: Places,
  findings: Findings,
): boolean {
  const minimum = minimumContextTokens(task, seedPool(task), tokenizer);
  for (const contextTokens of lengths) {
    if (contextTokens >= minimum) continue;
    findings.add('PROMPT_IMPOSSIBLE', {
      where: at(placeOfLength(spec, task, index, contextTokens)),
      what: `${contextTokens} tokens cannot hold the prompt of tasks[${index}]`,
      mend: `Use at least ${minimum}.`,
    });
  }
  return lengths.every((contextTokens) => contextTokens >= minimum);
}

/** Where the file names a context length of a task. */
function placeOfLength(spec: SweepSpec, task: TaskSpec, index: number, contextTokens: number): SpecPath {
  const place = task.contextTokens === undefined ? ['contextTokens'] : ['tasks', index, 'contextTokens'];
  const within = placeInAxis(task.contextTokens ?? spec.contextTokens, contextTokens);
  return within === null ? ['include'] : [...place, ...within];
}

/** Context lengths that have fewer rows than an attention task looks at. */
export function checkRows(spec: SweepSpec, task: TaskSpecOf<'attention'>, index: number, lengths: readonly number[], at: Places, findings: Findings): void {
  for (const contextTokens of lengths) {
    if (contextTokens >= task.rows) continue;
    findings.add('SPEC_INVALID', {
      where: at(placeOfLength(spec, task, index, contextTokens)),
      what: `${contextTokens} tokens have no ${task.rows} rows to look at, which tasks[${index}] does`,
      mend: `Use at least ${task.rows}, or set rows of the task to ${contextTokens} or fewer.`,
    });
  }
}

/** Parts of a needle task that do not go together, needles that cannot be drawn. @returns whether there are none */
export function checkNeedle(task: TaskSpecOf<'needle'>, index: number, at: Places, findings: Findings): boolean {
  const problems = needleTaskProblems(task);
  for (const { path, what, mend } of problems) findings.add('SPEC_INVALID', { where: at(['tasks', index, ...path]), what, mend });
  return problems.length === 0;
}

/** Greedy decoding where nothing is kept between runs: each token would be a run of the whole prompt. */
export function checkDecoding({ generateTokens }: TaskSpecOf<'needle'>, index: number, { name, keepsKv }: DeviceClass, at: Places, findings: Findings): void {
  if (keepsKv || generateTokens === 0) return;
  findings.add('SPEC_INVALID', {
    where: at(['tasks', index, 'generateTokens']),
    what: `${name} keeps nothing between runs, so ${generateTokens} generated tokens would run every prompt ${generateTokens} more times: ${generateTokens + 1} times the cost`,
    mend: 'Set generateTokens: 0 (exactMatch says whether greedy decoding prints the answer), or use a class that keeps keys and values, such as cpu.',
  });
}

/** Ids outside of the vocabulary, parts that would share ids. */
export function checkIds({ needle, template }: TaskSpecOf<'needle'>, haystack: ResolvedHaystack, index: number, vocabularySize: number, at: Places, findings: Findings): void {
  const here = (...path: string[]) => at(['tasks', index, ...path]);
  const filler = haystackIdRanges(haystack);
  const parts = needleIdRanges(needle);
  const headIds = 'headIds' in template ? template.headIds : [];
  const head: IdRange[] = headIds.map((first) => ({ name: 'head', first, count: 1 }));
  const placed = [
    ...filler.map((range) => ({ range, where: here('haystack') })),
    ...parts.map((range) => ({ range, where: here('needle') })),
    ...head.map((range) => ({ range, where: here('template', 'headIds') })),
  ];
  checkVocabulary(placed, vocabularySize, findings);
  const ranges = [...filler, ...parts];
  for (const [first, a] of ranges.entries()) {
    for (const b of ranges.slice(first + 1)) {
      if (!overlap(a, b)) continue;
      findings.add('SPEC_INVALID', {
        where: here('needle'),
        what: `${a.name} (ids ${idText(a)}) and ${b.name} (ids ${idText(b)}) overlap`,
        mend: 'Give them different ids: a needle whose symbols stand elsewhere in the prompt proves nothing.',
      });
    }
  }
}

/** Ids of documents that are outside of the vocabulary. */
export function checkDocumentIds({ documents }: TaskSpecOf<'perplexity' | 'attention'>, haystack: ResolvedHaystack, index: number, vocabularySize: number, at: Places, findings: Findings): void {
  const here = (...path: string[]) => at(['tasks', index, 'documents', ...path]);
  const headIds = documents.kind === 'haystack' ? documents.headIds : [];
  const placed = [
    ...haystackIdRanges(haystack).map((range) => ({ range, where: here('haystack') })),
    ...headIds.map((first) => ({ range: { name: 'head', first, count: 1 }, where: here('headIds') })),
  ];
  checkVocabulary(placed, vocabularySize, findings);
}

function checkVocabulary(placed: readonly { readonly range: IdRange; readonly where: string }[], vocabularySize: number, findings: Findings): void {
  for (const { range, where } of placed) {
    if (range.first + range.count <= vocabularySize) continue;
    findings.add('SPEC_INVALID', {
      where,
      what: `${range.name}: ids ${idText(range)} are outside of the model's vocabulary of ${vocabularySize}`,
      mend: `Use ids from 0 to ${vocabularySize - 1}.`,
    });
  }
}

const idText = ({ first, count }: IdRange): string => (count === 1 ? String(first) : `${first} to ${first + count - 1}`);

/** What a reference can name: an arm of the sweep. */
interface NamedArm {
  readonly method: Method;
  readonly point: Pick<ArmPoint, 'continualPretrainContextTokens'>;
}

/** References of attention tasks that are not exactly one arm of the sweep, or no length of the task. */
export function checkReferences(task: TaskSpecOf<'attention'>, index: number, arms: readonly NamedArm[], lengths: readonly number[], at: Places, findings: Findings): void {
  const labels = [...new Set(arms.map(({ method }) => methodLabel(method)))];
  for (const [position, { method: named, continualPretrainContextTokens, contextTokens }] of task.references.entries()) {
    const where = at(['tasks', index, 'references', position]);
    const ofName = arms.filter(({ method }) => named === methodLabel(method) || named === method.name);
    const meant = ofName.filter(({ point }) => point.continualPretrainContextTokens === continualPretrainContextTokens).map((arm) => armLabel(arm.method, continualPretrainContextTokens));
    if (ofName.length === 0) {
      findings.add('SPEC_INVALID', { where, what: `${named} is no method of this sweep`, mend: `Add it to methods, use one of ${labels.join(', ')}, or compare to nothing: --set 'tasks[${index}].references=[]'.` });
    } else if (meant.length === 0) {
      const known = ofName.map(({ point }) => point.continualPretrainContextTokens ?? 'null');
      findings.add('SPEC_INVALID', { where, what: `the sweep has no arm ${named}, ${continualPretrainContextTokens === null ? 'not continued' : `continued at ${continualPretrainContextTokens}`}`, mend: `Set continualPretrainContextTokens to ${known.join(' or ')}.` });
    } else if (meant.length > 1) {
      findings.add('SPEC_INVALID', { where, what: `${named} may be ${meant.join(' or ')}`, mend: 'Write the label of the method.' });
    }
    if (!lengths.includes(contextTokens)) {
      findings.add('SPEC_INVALID', { where, what: `${contextTokens} is no context length of this task`, mend: `Use one of ${lengths.join(', ')}, or add it to them.` });
    }
  }
}

/** Two tasks of a model that would measure the same cells in one of its arms. */
export function checkOverlappingTasks(tasks: readonly PlannedTask[], arms: readonly ArmOfGrid[], selection: Selection, device: DeviceClass, at: Places, findings: Findings): void {
  for (const alike of groupBy(tasks, (task) => `${task.model}/${identityOf(task, device)}`).values()) {
    // Most sweeps have no two tasks that could.
    if (alike.length < 2) continue;
    const shared = new Map<number, string>();
    for (const { point, method } of arms.filter((arm) => arm.point.modelPosition === alike[0]?.model)) {
      const owner = new Map<string, number>();
      for (const { grid } of alike) {
        for (const cell of cellsOf(grid, point, method, selection)) {
          const taken = owner.get(cell) ?? grid.index;
          if (taken !== grid.index && !shared.has(grid.index)) shared.set(grid.index, cell);
          owner.set(cell, taken);
        }
      }
    }
    for (const [index, cell] of shared) {
      findings.add('SPEC_INVALID', {
        where: at(['tasks', index]),
        what: `it has cells that an earlier task has too (${cell})`,
        mend: 'Join the two tasks, or keep their lengths and axes apart.',
      });
    }
  }
}

function identityOf(planned: PlannedTask, device: DeviceClass): string {
  switch (planned.kind) {
    case 'needle':
      return identity(planned, device);
    case 'perplexity':
      return identity(planned, device);
    case 'attention':
      return identity(planned, device);
  }
}

const identity = <K extends TaskKind>({ kind, task }: PlannedTaskOf<K>, device: DeviceClass): string =>
  digest({ kind, tokenizer: (task as ResolvedTask).tokenizerDigest, ...plannerOf<K>(kind).ingredients(task, device) });

/** Every cell of a task as `contextTokens tokens, axes`. */
function* cellsOf(grid: GridTask<TaskKind>, point: ArmPoint, method: Method, selection: Selection): Generator<string> {
  for (const [length, all] of selection.lay(point, grid, tableDependsOnLength(method))) {
    for (const axes of all) yield `${length} tokens${Object.entries(axes).map(([name, value]) => `, ${name} ${String(value)}`).join('')}`;
  }
}
