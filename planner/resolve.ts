/**
 * spec -> resolved sweep: opens every checkpoint and file the spec names, checks what can be checked before anything
 * starts, and reports all that is wrong at once. Weights are read only to be hashed, and only when nothing is wrong.
 */
import { readFile } from 'node:fs/promises';
import { RopesweepError, whyUnreadable } from '../domain/errors.js';
import { digest } from '../domain/identity.js';
import { id, type WeightsId } from '../domain/ids.js';
import type { Method, RopeGeometry } from '../domain/method.js';
import type { SweepSpec } from '../domain/spec.js';
import { weightsId } from '../model/weightsId.js';
import { withCustomTable } from '../rope/customTable.js';
import { methodLabel, resolveMethod, tableDependsOnLength } from '../rope/method.js';
import { replacedNotice } from '../rope/replaced.js';
import { armLabel, plannedArm } from './arms.js';
import { findArms, openBase, type FoundArm, type FoundArms, type FoundCheckpoint } from './checkpoints.js';
import { computeDtype, deviceClass } from './device.js';
import { Findings } from './findings.js';
import { configuredRoots, specPaths, type SpecPaths } from './paths.js';
import { resolveTextName } from './knownTexts.js';
import { placesOf, type Places } from './places.js';
import { checkRefine, checkRefineSize } from './refineDesign.js';
import type { MissingArm, ResolvedArm, ResolvedSweep } from './resolved.js';
import { checkDecoding, checkOverlappingTasks, checkReferences } from './tasks/checks.js';
import { cellsOfTask, taskContexts } from './tasks/registry.js';
import { resolveTasks } from './tasks/resolveTasks.js';

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
  /** Where models that registry:NAME stands for were fetched to. */
  readonly modelsFolder: string;
  /** Folders that the spec's paths must lie in; from ROPESWEEP_ROOTS if absent. */
  readonly roots?: readonly string[];
}

/**
 * @throws RopesweepError with every problem, under the code of the first: CHECKPOINT_MISSING, CHECKPOINT_INVALID,
 *   MODEL_UNSUPPORTED, METHOD_INVALID, PATH_OUTSIDE_ROOTS, PROMPT_IMPOSSIBLE, DOCUMENTS_INVALID, SPEC_INVALID
 */
export async function resolveSweep(spec: SweepSpec, options: ResolveOptions): Promise<ResolvedSweep> {
  const at = placesOf(spec);
  const findings = new Findings();
  const paths = withKnownTexts(specPaths(options.file, [...(options.roots ?? configuredRoots(options.file)), options.modelsFolder]), options.modelsFolder);
  const search = { spec, at, paths, findings, modelsFolder: options.modelsFolder };

  const device = deviceClass(spec, at, findings);
  const base = await openBase(search);
  const dtype = base && device && computeDtype(spec, device, base.weightFormat, at, findings);
  const geometry = base && geometryOf(spec, base);
  const methods = geometry && (await resolveMethods(spec, geometry, paths, at, findings));
  const arms: FoundArms = base && geometry && methods ? await findArms(search, base, geometry, methods) : { found: [], missing: [] };
  if (findings.none) checkSize(spec, arms, at, findings);
  const tooLarge = !findings.none && base !== undefined && arms.found.length > 0 && cellCount(spec, arms.found) > spec.cellLimit;
  // A grid beyond the limit is not laid out to be told what else is wrong with it.
  const tasks = tooLarge ? [] : await resolveTasks(search, base);
  if (device !== undefined) checkOverlappingTasks(tasks, device, at, findings);
  for (const [index, task] of spec.tasks.entries()) {
    if (task.kind === 'needle') checkRefine(spec, task, index, at, findings);
    if (task.kind === 'needle' && device !== undefined) checkDecoding(task, index, device, at, findings);
    if (task.kind === 'attention' && arms.found.length > 0) checkReferences(spec, task, index, arms.found, at, findings);
  }
  findings.refuse();
  if (base === undefined || device === undefined || dtype === undefined || geometry === undefined) {
    throw new RopesweepError('INTERNAL', { where: 'plan', what: 'a base that was not found passed the checks' });
  }
  const resolved = await nameArms(spec, arms.found, base, geometry, options, findings);
  findings.refuse();
  return { arms: resolved, tasks, missing: arms.missing, device, dtype };
}

/** Paths of a spec, where the name of a known text leads to its folder. */
const withKnownTexts = (paths: SpecPaths, modelsFolder: string): SpecPaths => ({
  resolve: (written) => paths.resolve(resolveTextName(written, modelsFolder) ?? written),
});

const geometryOf = (spec: SweepSpec, base: FoundCheckpoint): RopeGeometry => ({
  ...base.geometry,
  originalContextTokens: spec.model.originalContextTokens ?? base.geometry.originalContextTokens,
});

/** Methods in their one spelling; two that mean the same are refused. */
async function resolveMethods(spec: SweepSpec, geometry: RopeGeometry, paths: SpecPaths, at: Places, findings: Findings): Promise<Method[]> {
  const methods: Method[] = [];
  const seen = new Map<string, number>();
  for (const [index, written] of spec.methods.entries()) {
    const place = at(['methods', index]);
    const method = await findings.collect(place, async () => resolveMethod(await withTable(written, paths), geometry));
    if (method === undefined) continue;
    const identity = digest(method);
    const label = methodLabel(method);
    const same = seen.get(identity);
    const isNamesake = methods.some((other) => methodLabel(other) === label);
    if (same !== undefined) {
      findings.add('METHOD_INVALID', { where: place, what: `it is the same method as methods[${same}] (${label})`, mend: 'Leave one of them out.' });
    } else if (isNamesake) {
      findings.add('METHOD_INVALID', { where: place, what: `another method of the sweep is called ${label} too`, mend: 'Give custom tables labels of their own (label).' });
    } else {
      seen.set(identity, index);
      methods.push(method);
    }
  }
  return methods;
}

/** A custom method with the numbers of the file that it names. */
async function withTable(method: Method, paths: SpecPaths): Promise<Method> {
  if (method.name !== 'custom' || method.file === undefined) return method;
  const file = await paths.resolve(method.file);
  try {
    return withCustomTable(method, await readFile(file, 'utf8'));
  } catch (cause) {
    if (cause instanceof RopesweepError) throw cause;
    throw new RopesweepError('METHOD_INVALID', { where: method.file, what: `${whyUnreadable(cause)}: ${file}`, mend: 'Correct the path (relative to the sweep file).' }, { cause });
  }
}

/** Cells of the arms that were found, counted without laying them out. */
function cellCount(spec: SweepSpec, found: readonly FoundArm[]): number {
  return found.reduce((sum, { method }) => sum + spec.tasks.reduce((cells, task) => cells + cellsOfTask(task, spec, tableDependsOnLength(method)), 0), 0);
}

function checkSize(spec: SweepSpec, { found, missing }: FoundArms, at: Places, findings: Findings): void {
  if (found.length === 0) {
    findings.add('CHECKPOINT_MISSING', {
      where: at(['continualPretrainContextTokens']),
      what: `no combination of method and length has a checkpoint: ${missing.map(missingText).join('; ')}`,
      mend: 'Correct model.continued, or add null for the base as it is.',
    });
  }
  const cells = cellCount(spec, found);
  checkRefineSize(spec, cells, found.length, at, findings);
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
  base: FoundCheckpoint,
  geometry: RopeGeometry,
  { fileSha256 }: ResolveOptions,
  findings: Findings,
): Promise<ResolvedArm[]> {
  const idOfFolder = new Map<string, WeightsId>();
  /** What the sweep takes each checkpoint for. */
  const roles = new Map<WeightsId, string>();
  const arms: ResolvedArm[] = [];
  const contextTokens = [...new Set(spec.tasks.flatMap((task) => taskContexts(task, spec.contextTokens)))].sort((a, b) => a - b);
  for (const { method, continualPretrainContextTokens, checkpoint, place } of found) {
    const { folder, config, files, weightFormat } = checkpoint;
    const role = continualPretrainContextTokens === null ? 'the base' : `"${armLabel(method, continualPretrainContextTokens)}"`;
    const weights = idOfFolder.get(folder) ?? (await (files === null ? provisionalId(role, checkpoint) : weightsId(files, fileSha256)));
    idOfFolder.set(folder, weights);
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
      weightFormat,
      provisional: files === null,
      warnings: checkpoint.ropeWarnings.map(({ where, what }) => `${where}: ${what}`),
      notice: continualPretrainContextTokens === null ? replacedNotice({ method: base.ropeSettings, geometry: base.geometry }, { method, geometry }) : undefined,
      continualPretrainContextTokens,
      method,
      geometry,
      contextTokens,
    });
    arms.push({ arm, config, geometry });
  }
  return arms;
}

/** Stands for weights that are not here: the real ones will have another id, and cells other keys. */
const provisionalId = (role: string, { config }: FoundCheckpoint): WeightsId => id<WeightsId>(digest({ provisional: role, architecture: { ...config } }));
