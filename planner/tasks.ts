/**
 * Resolves the tasks of a spec and checks that their prompts can be built for the model.
 */
import { digest } from '../domain/identity.js';
import type { SweepSpec, TaskSpec } from '../domain/spec.js';
import type { ResolvedTask } from '../domain/task.js';
import { minimumContextTokens } from '../prompts/build.js';
import { haystackDigest, haystackIdRanges, resolveHaystack } from '../prompts/haystack.js';
import { overlap, type IdRange } from '../prompts/idRange.js';
import { needleDigest, needleIdRanges, needleProblems } from '../prompts/needle.js';
import { templateDigest } from '../prompts/template.js';
import type { Findings } from './findings.js';
import { taskAxes } from './grid.js';
import type { SpecPaths } from './paths.js';
import type { Places } from './places.js';

/** Reads what the task names. @throws RopesweepError SPEC_INVALID, PATH_OUTSIDE_ROOTS */
export async function resolveTask(task: TaskSpec, tokenizerDigest: string, paths: SpecPaths): Promise<ResolvedTask> {
  const haystack = await resolveHaystack(task.haystack, (written) => paths.resolve(written));
  return {
    kind: task.kind,
    haystack,
    haystackDigest: haystackDigest(haystack),
    needle: task.needle,
    needleDigest: needleDigest(task.needle),
    template: task.template,
    templateDigest: templateDigest(task.template),
    tokenizerDigest,
    probes: task.probes,
  };
}

/** Contexts that are too short for a task's prompt: known from the spec alone. */
export function checkContexts(spec: SweepSpec, at: Places, findings: Findings): void {
  for (const [index, contextTokens] of spec.contextTokens.entries()) {
    for (const [taskIndex, task] of spec.tasks.entries()) {
      const minimum = minimumContextTokens(task);
      if (contextTokens >= minimum) continue;
      findings.add('PROMPT_IMPOSSIBLE', {
        where: at(['contextTokens', index]),
        what: `${contextTokens} tokens cannot hold the prompt of tasks[${taskIndex}]`,
        mend: `Use at least ${minimum}.`,
      });
    }
  }
}

/** Ids outside of the vocabulary, parts that would share ids, needles that cannot be drawn. */
export function checkTask(task: ResolvedTask, index: number, vocabularySize: number, at: Places, findings: Findings): void {
  const here = (...path: string[]) => at(['tasks', index, ...path]);
  for (const { field, what } of needleProblems(task.needle)) findings.add('SPEC_INVALID', { where: here('needle', field), what, mend: 'Use fewer answer tokens or more values.' });
  const filler = haystackIdRanges(task.haystack);
  const parts = needleIdRanges(task.needle);
  const head: IdRange[] = task.template.headIds.map((first) => ({ name: 'head', first, count: 1 }));
  const placed = [
    ...filler.map((range) => ({ range, where: here('haystack') })),
    ...parts.map((range) => ({ range, where: here('needle') })),
    ...head.map((range) => ({ range, where: here('template', 'headIds') })),
  ];
  for (const { range, where } of placed) {
    if (range.first + range.count <= vocabularySize) continue;
    findings.add('SPEC_INVALID', {
      where,
      what: `${range.name}: ids ${idText(range)} are outside of the model's vocabulary of ${vocabularySize}`,
      mend: `Use ids from 0 to ${vocabularySize - 1}.`,
    });
  }
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

const idText = ({ first, count }: IdRange): string => (count === 1 ? String(first) : `${first} to ${first + count - 1}`);

/** Two tasks that would measure the same cells. */
export function checkOverlappingTasks(spec: SweepSpec, tasks: ReadonlyMap<number, ResolvedTask>, at: Places, findings: Findings): void {
  const owner = new Map<string, number>();
  for (const [index, task] of tasks) {
    const taskSpec = spec.tasks[index];
    if (taskSpec === undefined) continue;
    const { haystackDigest, needleDigest, templateDigest, probes } = task;
    const identity = digest({ kind: task.kind, haystackDigest, needleDigest, templateDigest, probes });
    const shared = taskAxes(taskSpec).find((axes) => {
      const point = `${identity}/${JSON.stringify(axes)}`;
      const taken = (owner.get(point) ?? index) !== index;
      if (!taken) owner.set(point, index);
      return taken;
    });
    if (shared === undefined) continue;
    findings.add('SPEC_INVALID', {
      where: at(['tasks', index]),
      what: `it has cells that an earlier task has too (depth ${shared.depth}, seed ${shared.seed})`,
      mend: 'Join the two tasks, or keep their depths or seeds apart.',
    });
  }
}
