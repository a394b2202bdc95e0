/**
 * The tasks of a spec for one model, resolved one after the other; whatever is wrong with any of them is collected.
 */
import type { ModelSpec, SweepSpec, TaskSpec } from '../../domain/spec.js';
import type { TaskKind } from '../../domain/task.js';
import type { TaskSpecOf } from '../../domain/taskSpec.js';
import { readTokenizerFiles } from '../../model/tokenizerFiles.js';
import { resolveHaystack } from '../../prompts/haystack.js';
import { isTextNeedle } from '../../prompts/needle.js';
import { Tokenizer } from '../../prompts/tokenizer.js';
import type { FoundCheckpoint } from '../checkpoints.js';
import type { Findings } from '../findings.js';
import type { SpecPaths } from '../paths.js';
import type { Places } from '../places.js';
import { checkContexts, checkDocumentIds, checkIds, checkNeedle, checkRows } from './checks.js';
import type { GridTask } from '../selection.js';
import { gridTask, gridTaskOf, plannerOf, type PlannedTask } from './registry.js';
import type { TaskInputs } from './taskPlanner.js';

export interface TaskSearch {
  readonly spec: SweepSpec;
  readonly model: ModelSpec;
  /** Of the model, among those of the spec. */
  readonly position: number;
  /** Of places in the file. */
  readonly at: Places;
  /** Of places within the model. */
  readonly atModel: Places;
  readonly paths: SpecPaths;
  readonly findings: Findings;
  /** Context lengths of a task that have cells, ascending. */
  readonly contextTokensOf: (task: number) => readonly number[];
}

/** Tokenizer of a checkpoint that has none: its prompts are ids already. */
const NO_TOKENIZER = 'none';

/** @returns those that can be resolved, in the order of the spec */
export async function resolveTasks(search: TaskSearch, base: FoundCheckpoint | undefined): Promise<PlannedTask[]> {
  const { spec, model, position, at, atModel, paths, findings, contextTokensOf } = search;
  const tokenizer = (await findings.collect(atModel(['base']), () => openTokenizer(model, base, paths))) ?? null;
  const resolvePath = (written: string) => paths.resolve(written);
  const tasks: PlannedTask[] = [];
  for (const [index, task] of spec.tasks.entries()) {
    const inputs: TaskInputs = {
      tokenizer,
      provisional: base?.files === null,
      tokenizerDigest: tokenizer?.digest ?? NO_TOKENIZER,
      contextTokens: contextTokensOf(index),
      resolvePath,
      resolveHaystack: (haystack) => resolveHaystack(haystack, resolvePath),
    };
    // Without its base, documents have nothing to be counted with.
    if (base === undefined && task.kind !== 'needle') continue;
    const usable = task.kind === 'needle' ? await checkedNeedle(search, task, index, inputs, base) : await checkedDocuments(search, task, index, inputs, base);
    if (usable === null) continue;
    const planned = await findings.collect(at(['tasks', index]), () => resolveTask(task, { index: position * spec.tasks.length + index, model: position }, gridTaskOf(task, index, spec), usable));
    if (planned !== undefined) tasks.push(planned);
  }
  return tasks;
}

/** The tokenizer of the base: of its files, or of the folder whose config.json stands for it; null where it has none. */
async function openTokenizer(model: ModelSpec, base: FoundCheckpoint | undefined, paths: SpecPaths): Promise<Tokenizer | null> {
  if (base === undefined) return null;
  const place = base.files === null && model.config !== undefined ? await paths.resolve(model.config) : base.folder;
  const files = await readTokenizerFiles(place);
  return files === null ? null : new Tokenizer(files);
}

/** Everything that can be said of a needle task before it is laid out. @returns its inputs, or null if it cannot be */
async function checkedNeedle({ spec, at, findings }: TaskSearch, task: TaskSpecOf<'needle'>, index: number, inputs: TaskInputs, base: FoundCheckpoint | undefined): Promise<TaskInputs | null> {
  const { tokenizer, provisional } = inputs;
  const sound = checkNeedle(task, index, at, findings);
  const counted = tokenizer !== null || provisional || !isTextNeedle(task.needle);
  const fits = !sound || !counted || (await findings.collect(at(['tasks', index]), () => checkContexts(spec, task, index, inputs.contextTokens, tokenizer, at, findings)));
  const haystack = await findings.collect(at(['tasks', index, 'haystack']), () => inputs.resolveHaystack(task.haystack));
  if (haystack === undefined) return null;
  if (base === undefined) return null;
  checkIds(task, haystack, index, base.config.vocabularySize, at, findings);
  return sound && fits === true ? { ...inputs, resolveHaystack: () => Promise.resolve(haystack) } : null;
}

/** What can be said of a task of documents before they are read. @returns its inputs, or null if it cannot be */
async function checkedDocuments({ spec, at, findings }: TaskSearch, task: TaskSpecOf<'perplexity' | 'attention'>, index: number, inputs: TaskInputs, base: FoundCheckpoint | undefined): Promise<TaskInputs | null> {
  if (task.kind === 'attention') checkRows(spec, task, index, inputs.contextTokens, at, findings);
  const { documents } = task;
  if (documents.kind !== 'haystack' || base === undefined) return inputs;
  const haystack = await findings.collect(at(['tasks', index, 'documents', 'haystack']), () => inputs.resolveHaystack(documents.haystack));
  if (haystack === undefined) return null;
  checkDocumentIds(task, haystack, index, base.config.vocabularySize, at, findings);
  return { ...inputs, resolveHaystack: () => Promise.resolve(haystack) };
}

async function resolveTask(spec: TaskSpec, place: { readonly index: number; readonly model: number }, { index, contextTokens }: GridTask<TaskKind>, inputs: TaskInputs): Promise<PlannedTask> {
  switch (spec.kind) {
    case 'needle': {
      const resolved = await plannerOf(spec.kind).resolve(spec, inputs);
      return { kind: spec.kind, ...place, spec, grid: gridTask(spec, index, contextTokens, resolved.task), ...resolved };
    }
    case 'perplexity': {
      const resolved = await plannerOf(spec.kind).resolve(spec, inputs);
      return { kind: spec.kind, ...place, spec, grid: gridTask(spec, index, contextTokens, resolved.task), ...resolved };
    }
    case 'attention': {
      const resolved = await plannerOf(spec.kind).resolve(spec, inputs);
      return { kind: spec.kind, ...place, spec, grid: gridTask(spec, index, contextTokens, resolved.task), ...resolved };
    }
  }
}
