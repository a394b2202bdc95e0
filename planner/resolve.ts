/**
 * spec -> resolved sweep: opens every checkpoint and file the spec names, checks what can be checked before anything
 * starts, and reports all that is wrong at once. Weights are read only to be hashed, and only when nothing is wrong.
 */
import { stat } from 'node:fs/promises';
import { RopesweepError } from '../domain/errors.js';
import { digest } from '../domain/identity.js';
import type { WeightsId } from '../domain/ids.js';
import type { Method, RopeGeometry } from '../domain/method.js';
import type { SweepSpec } from '../domain/spec.js';
import type { ResolvedTask } from '../domain/task.js';
import type { Checkpoint } from '../model/checkpoint.js';
import { weightsId } from '../model/weightsId.js';
import { methodLabel, resolveMethod } from '../rope/method.js';
import { armLabel, plannedArm } from './arms.js';
import { findArms, openBase, type FoundArm, type FoundArms } from './checkpoints.js';
import { Findings } from './findings.js';
import { cellsPerArm } from './grid.js';
import { configuredRoots, specPaths, type SpecPaths } from './paths.js';
import { placesOf, type Places } from './places.js';
import type { MissingArm, ResolvedArm, ResolvedSweep } from './resolved.js';
import { checkContexts, checkOverlappingTasks, checkTask, resolveTask } from './tasks.js';

/** A file as it lay on disk when its digest was asked for. */
export interface FileState {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
}

export interface ResolveOptions {
  /** The sweep file: its paths are relative to it. */
  readonly file: string;
  /** SHA-256 of a file; a caller that keeps digests by path, size and mtime hashes nothing twice. */
  readonly fileSha256: (file: FileState) => Promise<string>;
  /** Folders that the spec's paths must lie in; from ROPESWEEP_ROOTS if absent. */
  readonly roots?: readonly string[];
}

/** Tokenizer of a checkpoint that has none: its prompts are ids already. */
const NO_TOKENIZER = 'none';

/**
 * @throws RopesweepError with every problem, under the code of the first: CHECKPOINT_MISSING, CHECKPOINT_INVALID,
 *   MODEL_UNSUPPORTED, METHOD_INVALID, PATH_OUTSIDE_ROOTS, PROMPT_IMPOSSIBLE, SPEC_INVALID
 */
export async function resolveSweep(spec: SweepSpec, options: ResolveOptions): Promise<ResolvedSweep> {
  const at = placesOf(spec);
  const findings = new Findings();
  const paths = specPaths(options.file, options.roots ?? configuredRoots(options.file));
  const search = { spec, at, paths, findings };

  const base = await openBase(search);
  checkContexts(spec, at, findings);
  const tokenizerDigest = base === undefined ? NO_TOKENIZER : await tokenizerDigestOf(base, options);
  const tasks = await resolveTasks(spec, tokenizerDigest, paths, at, findings);
  for (const [index, task] of tasks) if (base !== undefined) checkTask(task, index, base.config.vocabularySize, at, findings);
  checkOverlappingTasks(spec, tasks, at, findings);

  const geometry = base && geometryOf(spec, base);
  const methods = geometry && (await resolveMethods(spec, geometry, at, findings));
  const arms: FoundArms = base && geometry && methods ? await findArms(search, base, geometry, methods) : { found: [], missing: [] };
  if (findings.none) checkSize(spec, arms, at, findings);
  findings.refuse();
  if (geometry === undefined) throw new RopesweepError('INTERNAL', { where: 'plan', what: 'a base without geometry passed the checks' });

  const resolved = await nameArms(spec, arms.found, geometry, options, findings);
  findings.refuse();
  return { arms: resolved, tasks: [...tasks.values()], missing: arms.missing };
}

const geometryOf = (spec: SweepSpec, base: Checkpoint): RopeGeometry => ({
  ...base.geometry,
  originalContextTokens: spec.model.originalContextTokens ?? base.geometry.originalContextTokens,
});

async function tokenizerDigestOf(base: Checkpoint, { fileSha256 }: ResolveOptions): Promise<string> {
  if (base.tokenizerFile === null) return NO_TOKENIZER;
  const { size, mtimeMs } = await stat(base.tokenizerFile);
  return fileSha256({ path: base.tokenizerFile, size, mtimeMs });
}

/** By index into the spec's tasks; those that cannot be resolved are left out. */
async function resolveTasks(spec: SweepSpec, tokenizerDigest: string, paths: SpecPaths, at: Places, findings: Findings): Promise<Map<number, ResolvedTask>> {
  const tasks = new Map<number, ResolvedTask>();
  for (const [index, task] of spec.tasks.entries()) {
    const resolved = await findings.collect(at(['tasks', index, 'haystack']), () => resolveTask(task, tokenizerDigest, paths));
    if (resolved !== undefined) tasks.set(index, resolved);
  }
  return tasks;
}

/** Methods in their one spelling; two that mean the same are refused. */
async function resolveMethods(spec: SweepSpec, geometry: RopeGeometry, at: Places, findings: Findings): Promise<Method[]> {
  const methods: Method[] = [];
  const seen = new Map<string, number>();
  for (const [index, written] of spec.methods.entries()) {
    const place = at(['methods', index]);
    const method = await findings.collect(place, () => resolveMethod(written, geometry));
    if (method === undefined) continue;
    const identity = digest(method);
    const same = seen.get(identity);
    if (same === undefined) {
      seen.set(identity, index);
      methods.push(method);
    } else {
      findings.add('METHOD_INVALID', { where: place, what: `it is the same method as methods[${same}] (${methodLabel(method)})`, mend: 'Leave one of them out.' });
    }
  }
  return methods;
}

function checkSize(spec: SweepSpec, { found, missing }: FoundArms, at: Places, findings: Findings): void {
  if (found.length === 0) {
    findings.add('CHECKPOINT_MISSING', {
      where: at(['continualPretrainContextTokens']),
      what: `no combination of method and length has a checkpoint: ${missing.map(missingText).join('; ')}`,
      mend: 'Correct model.continued, or add null for the base as it is.',
    });
  }
  const cells = found.length * cellsPerArm(spec);
  if (cells > spec.cellLimit) {
    findings.add('SPEC_INVALID', {
      where: at(['cellLimit']),
      what: `the sweep has ${cells} cells, the limit is ${spec.cellLimit}`,
      mend: `Shorten an axis, or raise cellLimit (--set cellLimit=${cells}).`,
    });
  }
}

const missingText = ({ method, continualPretrainContextTokens, reason }: MissingArm): string =>
  `${method} at ${continualPretrainContextTokens ?? 'no length'}: ${reason}`;

/** Hashes each checkpoint once and gives the arms their identity. */
async function nameArms(
  spec: SweepSpec,
  found: readonly FoundArm[],
  geometry: RopeGeometry,
  { fileSha256 }: ResolveOptions,
  findings: Findings,
): Promise<ResolvedArm[]> {
  const idOfFolder = new Map<string, WeightsId>();
  /** What the sweep takes each checkpoint for. */
  const roles = new Map<WeightsId, string>();
  const arms: ResolvedArm[] = [];
  for (const { method, continualPretrainContextTokens, checkpoint, place } of found) {
    const { folder, config } = checkpoint;
    const weights = idOfFolder.get(folder) ?? (await weightsId(checkpoint, fileSha256));
    idOfFolder.set(folder, weights);
    const role = continualPretrainContextTokens === null ? 'the base' : `"${armLabel(method, continualPretrainContextTokens)}"`;
    const taken = roles.get(weights) ?? role;
    roles.set(weights, taken);
    if (taken !== role) {
      findings.add('CHECKPOINT_INVALID', {
        where: place,
        what: `${role} in ${folder} has the same weights as ${taken}`,
        mend: 'Name the checkpoint that was continued with this method at this length.',
      });
      continue;
    }
    const arm = plannedArm({
      model: spec.model.name,
      folder,
      weightsId: weights,
      continualPretrainContextTokens,
      method,
      geometry,
      contextTokens: spec.contextTokens,
    });
    arms.push({ arm, config });
  }
  return arms;
}
